"""Whom the Python SDK can be in the simulated cloud without an API key of a user."""

import functools
import os

import oci
from oci.auth.signers import resource_principals_federation_signer as federation

from cloud import Cloud
from sdk import NODE_AND_DISK, is_, refused

RESOURCE = "OCI_RESOURCE_PRINCIPAL_"


def an_instance_acts_on_behalf_of_a_user(simulator):
    with Cloud(simulator, *NODE_AND_DISK, tokens=True) as cloud, as_instance(cloud):
        signer = lambda token: oci.auth.signers.InstancePrincipalsDelegationTokenSigner(
            delegation_token=token, federation_endpoint=f"{cloud.endpoint}/v1/x509",
            federation_client_cert_bundle_verify=cloud.ca)
        looks_at_the_node(cloud, signer(cloud["delegation-token"]))
        stranger = cloud.client(oci.core.ComputeClient, config={}, signer=signer("eyJ.other"))
        refused(401, "NotAuthenticated", stranger.get_instance, cloud["node"])


def a_resource_with_a_key_gets_its_token_by_it(simulator):
    for version in ["2.1", "2.1.1", "2.1.2"]:
        # in version 2.1.2 this SDK fails without a security context
        with Cloud(simulator, *NODE_AND_DISK, resources=[version]) as cloud:
            with variables(cloud, VERSION=version, **endpoints(cloud), **resource_key(cloud, version)):
                signer = oci.auth.signers.get_resource_principals_signer()
                looks_at_the_node(cloud, signer)
        is_([cloud.log.count(f" {name} ") for name in ("ResourceVoucher", "ResourceToken")], [1, 1])


def a_resource_on_an_instance_gets_its_token_by_that(simulator):
    with Cloud(simulator, *NODE_AND_DISK) as cloud, as_instance(cloud):
        with variables(cloud, VERSION="1.1", **endpoints(cloud)):
            looks_at_the_node(cloud, oci.auth.signers.get_resource_principals_signer())
    assert cloud.log.count(" ResourceVoucher ") == cloud.log.count(" ResourceToken ") == 1


def a_part_of_a_resource_becomes_the_whole(simulator):
    # an address with a path is what this variable is for, and what this SDK refuses
    with Cloud(simulator, *NODE_AND_DISK, tokens=True, parent_resources=["/"]) as cloud:
        leaf = {"VERSION": "2.2", "RPST": cloud["resource-token"], "PRIVATE_PEM": key(cloud), "REGION": "us-phoenix-1"}
        leaf = {f"{name}_FOR_LEAF_RESOURCE": value for name, value in leaf.items()}
        parent = {"RPT_URL_FOR_PARENT_RESOURCE": cloud.endpoint,
                  "RPST_ENDPOINT_FOR_PARENT_RESOURCE": cloud.endpoint}
        with variables(cloud, VERSION="3.0", **leaf, **parent):
            looks_at_the_node(cloud, oci.auth.signers.get_resource_principals_signer())
    is_([cloud.log.count(f" {name} ") for name in ("ResourceVoucher", "ResourceToken")], [1, 1])


def a_token_of_somebody_elses_is_exchanged(simulator):
    trust = {"clients": [["client", "SECRET"]], "trusted_tokens": ["eyJ.e30.c2ln"]}
    with Cloud(simulator, *NODE_AND_DISK, **trust) as cloud, variables(cloud):
        exchange = lambda token, secret: oci.auth.signers.TokenExchangeSigner(token, cloud.endpoint, "client", secret)
        looks_at_the_node(cloud, exchange("eyJ.e30.c2ln", "SECRET"))
        for token, secret in [("eyJ.e30.c2ln", "OTHER"), ("eyJ.other", "SECRET")]:
            try:
                exchange(token, secret)
            except oci._vendor.requests.exceptions.HTTPError as error:
                is_(error.response.status_code, 401)
            else:
                raise AssertionError(f"{token} is exchanged with {secret}")


def looks_at_the_node(cloud, signer):
    compute = cloud.client(oci.core.ComputeClient, config={}, signer=signer)
    is_(compute.get_instance(cloud["node"]).data.display_name, "node")


def key(cloud):
    return cloud.config["key_file"]


def endpoints(cloud):
    return {"RPT_ENDPOINT": cloud.endpoint, "RPST_ENDPOINT": cloud.endpoint}


def resource_key(cloud, version):
    return {"RESOURCE_ID": cloud[f"resource-{version}"], "TENANCY_ID": cloud.config["tenancy"],
            "PRIVATE_PEM": key(cloud), "REGION": "us-phoenix-1",
            **({"SECURITY_CONTEXT": "context"} if version == "2.1.2" else {})}


class variables:
    """The environment of a resource, and the authority that the SDK trusts in clients of its own."""

    def __init__(self, cloud, **resource):
        self._set = {RESOURCE + name: value for name, value in resource.items()}
        self._set["REQUESTS_CA_BUNDLE"] = cloud.ca

    def __enter__(self):
        os.environ.update(self._set)

    def __exit__(self, *_):
        for name in self._set:
            os.environ.pop(name, None)


class as_instance(variables):
    """The environment of an instance. For a resource on it this SDK has two addresses of its own that no variable
    changes: of the auth service, and of the metadata service where it asks for the instance's OCID."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._set["OCI_METADATA_BASE_URL"] = self._metadata = cloud["metadata"]
        self._signer = federation.InstancePrincipalsSecurityTokenSigner
        self._usual = self._signer.METADATA_URL_BASE
        self._with_endpoint = functools.partial(
            self._signer, federation_endpoint=f"{cloud.endpoint}/v1/x509",
            federation_client_cert_bundle_verify=cloud.ca)

    def __enter__(self):
        super().__enter__()
        self._signer.METADATA_URL_BASE = self._metadata
        federation.InstancePrincipalsSecurityTokenSigner = self._with_endpoint

    def __exit__(self, *_):
        super().__exit__()
        self._signer.METADATA_URL_BASE = self._usual
        federation.InstancePrincipalsSecurityTokenSigner = self._signer


CHECKS = [
    an_instance_acts_on_behalf_of_a_user,
    a_resource_with_a_key_gets_its_token_by_it,
    a_resource_on_an_instance_gets_its_token_by_that,
    a_part_of_a_resource_becomes_the_whole,
    a_token_of_somebody_elses_is_exchanged,
]
