"""The workers of gunicorn are one member together: gunicorn --config gunicorn.conf.py web"""

bind = "127.0.0.1:8080"
workers = 2


def post_worker_init(worker):  # in the worker, also with preload_app
    from web import sg

    # It leaves by itself: gunicorn ends a worker by the interpreter's regular exit.
    sg.join("web", sg.settings.host, worker=True, wait=False)
