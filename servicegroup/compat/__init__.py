"""Adapters: what Nova, Ironic and Vitrage call today, on this library. They import none of them."""
