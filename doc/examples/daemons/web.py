"""A WSGI application that answers who of its group is alive; see gunicorn.conf.py."""

import json

from oslo_config import cfg

import servicegroup

conf = cfg.ConfigOpts()
conf([], project="servicegroup")  # the files of /etc/servicegroup, and the environment
sg = servicegroup.ServiceGroup(conf)


def application(environ, start_response):
    try:
        states = {name: state.value for name, state in sg.states("web").items()}
        status, body = "200 OK", json.dumps(states)
    except servicegroup.DriverUnavailable as error:
        status, body = "503 Service Unavailable", json.dumps({"error": str(error)})
    start_response(status, [("Content-Type", "application/json")])
    return [body.encode()]
