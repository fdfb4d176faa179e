"""Service records in SQL: who should exist, who is bound to which life, and when it beat."""
