"""Runs the server in the foreground: ``python -m kubeapi --port N --control N --folder F``."""

import argparse
import asyncio
import ssl
from pathlib import Path

from aiohttp import web

from kubeapi.app import Api
from kubeapi.control import Control
from kubeapi.kinds import NAMESPACE
from kubeapi.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(prog="kubeapi")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--token", required=True, help="of the administrator")
    parser.add_argument("--certificate", type=Path, help="PEM with key: speak TLS only")
    parser.add_argument("--bookmark-interval", type=float, default=60.0)
    parser.add_argument("--collect-interval", type=float, default=0.0, help="0: when told")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    store = Store(options.folder / "journal")
    api = Api(store, options.token, options.bookmark_interval)
    for name in ("default", "kube-system"):
        if store.get(NAMESPACE, ("", name)) is None:
            metadata = {"name": name, "uid": name, "creationTimestamp": api.objects.now()}
            head = {"kind": "Namespace", "apiVersion": "v1"}
            store.put(NAMESPACE, ("", name), {**head, "metadata": metadata})
    tls = None
    if options.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.certificate)
    places = (
        (api.application(), options.port, tls),
        (Control(api).application(), options.control, None),
    )
    for application, port, context in places:
        runner = web.AppRunner(application, access_log=None, keepalive_timeout=3600)
        await runner.setup()
        await web.TCPSite(runner, options.host, port, ssl_context=context).start()
    if not options.collect_interval:
        await asyncio.Event().wait()
    while True:
        await asyncio.sleep(options.collect_interval)
        api.collector.round()


main()
