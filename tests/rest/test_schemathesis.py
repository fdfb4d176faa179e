"""Random requests made from the OpenAPI document: no 5xx, no status or body that is not in it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from servers.ports import LOOPBACK

from servicegroup.rest.app import ROUTES
from servicegroup.rest.openapi import document

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
#: Of its own use of Hypothesis, which no user of it can mend.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
schema = schemathesis.openapi.from_dict(document(ROUTES))


@pytest.fixture(scope="module")
def fleet(service_group, api):
    """Something to find."""
    service_group.join("compute", "node-1", name="nova-compute")
    service_group.conductors.join(hostname="c1", drivers=["ipmi"])
    service_group.inventory.create_node(driver="ipmi", name="n1")
    service_group.inventory.create_hypervisor(hypervisor_hostname="hv1")


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_asked_is_answered_as_documented(case, fleet, api):
    case.call_and_validate(base_url=f"http://{LOOPBACK}:{api.port}", checks=list(CHECKS))
