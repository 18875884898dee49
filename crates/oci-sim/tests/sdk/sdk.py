"""What the Python SDK finds in the simulated cloud."""

import os
import time
from email.utils import formatdate

import oci
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from oci._vendor import requests
from oci.core.models import (
    AttachIScsiVolumeDetails,
    AttachParavirtualizedVolumeDetails,
    CreateVolumeDetails,
    UpdateVolumeDetails,
)

from cloud import Cloud

QUICK = {"max_interval_seconds": 1, "max_wait_seconds": 30}
NODE_AND_DISK = ["--instance", "node,hostname=node,public-ip=192.0.2.7", "--volume", "disk=50"]


def an_iscsi_attachment_lives_and_ends(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--attach-delay", "2 polls", "--detach-delay", "2 polls") as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        begun = compute.attach_volume(iscsi(cloud, use_chap=True, display_name="mine", device="/dev/oracleoci/oraclevdd"))
        is_(begun.status, 200)
        attachment = begun.data
        is_(attachment.lifecycle_state, "ATTACHING")
        is_(attachment.attachment_type, "iscsi")
        is_(attachment.iqn, None)

        attached = wait(compute, attachment, "ATTACHED")
        is_(type(attached), oci.core.models.IScsiVolumeAttachment)
        is_(attached.port, 3260)
        assert attached.iqn.startswith("iqn.2015-12.com.oracleiaas:") and attached.ipv4.startswith("169.254.")
        assert attached.chap_username and attached.chap_secret
        is_((attached.display_name, attached.device), ("mine", "/dev/oracleoci/oraclevdd"))
        for filters in [{}, {"instance_id": cloud["node"]}, {"volume_id": cloud["disk"]}]:
            listed = compute.list_volume_attachments(cloud.compartment, **filters).data
            is_([it.id for it in listed], [attachment.id])
        is_(compute.list_volume_attachments(cloud.compartment, availability_domain="Uocm:PHX-AD-3").data, [])

        is_(compute.detach_volume(attachment.id).status, 204)
        is_(wait(compute, attachment, "DETACHED").lifecycle_state, "DETACHED")
        listed = compute.list_volume_attachments(cloud.compartment).data
        is_([it.lifecycle_state for it in listed], ["DETACHED"])
        refused(404, "NotAuthorizedOrNotFound", compute.detach_volume, attachment.id)


def a_paravirtualized_attachment_has_a_device(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--attach-delay", "0s") as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        details = AttachParavirtualizedVolumeDetails(
            instance_id=cloud["node"], volume_id=cloud["disk"], is_read_only=True)
        attached = wait(compute, compute.attach_volume(details).data, "ATTACHED")
        is_(type(attached), oci.core.models.ParavirtualizedVolumeAttachment)
        is_((attached.device, attached.is_read_only), ("/dev/oracleoci/oraclevdb", True))
        free = all_of(compute.list_instance_devices, cloud["node"], is_available=True)
        assert attached.device not in [device.name for device in free]
        taken = compute.list_instance_devices(cloud["node"], is_available=False).data
        is_([device.name for device in taken], [attached.device])


def a_fast_volume_has_more_portals(simulator):
    fast = {"displayName": "fast", "sizeGb": 50, "vpusPerGb": 30}
    with Cloud(simulator, "--instance", "node", "--attach-delay", "0s", volumes=[fast]) as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        details = AttachIScsiVolumeDetails(instance_id=cloud["node"], volume_id=cloud["fast"])
        attached = wait(compute, compute.attach_volume(details).data, "ATTACHED")
        is_(attached.is_multipath, True)
        assert attached.multipath_devices
        assert attached.ipv4 not in [portal.ipv4 for portal in attached.multipath_devices]


def instances_share_a_volume_if_all_agree(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--instance", "other", "--attach-delay", "0s") as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        here = iscsi(cloud, is_shareable=True)
        wait(compute, compute.attach_volume(here).data, "ATTACHED")
        there = AttachIScsiVolumeDetails(instance_id=cloud["other"], volume_id=cloud["disk"])
        refused(409, "Conflict", compute.attach_volume, there)
        there.is_shareable = True
        is_(wait(compute, compute.attach_volume(there).data, "ATTACHED").is_shareable, True)
        refused(409, "Conflict", compute.attach_volume, here)


def an_instance_has_at_most_32_volumes(simulator):
    volumes = [{"displayName": f"disk-{number}", "sizeGb": 50} for number in range(33)]
    with Cloud(simulator, "--instance", "node", "--attach-delay", "0s", volumes=volumes) as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        details = [AttachIScsiVolumeDetails(instance_id=cloud["node"], volume_id=cloud[volume["displayName"]])
                   for volume in volumes]
        for one in details[:32]:
            compute.attach_volume(one)
        refused(400, "LimitExceeded", compute.attach_volume, details[32])


def a_boot_volume_is_attached_as_data(simulator):
    boot = {"displayName": "boot", "sizeGb": 50, "id": "ocid1.bootvolume.oc1.phx.aaaaboot"}
    with Cloud(simulator, "--instance", "node", "--attach-delay", "0s", volumes=[boot]) as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        volumes = cloud.client(oci.core.BlockstorageClient)
        is_(volumes.get_boot_volume(cloud["boot"]).data.lifecycle_state, "AVAILABLE")
        refused(404, "NotAuthorizedOrNotFound", volumes.get_volume, cloud["boot"])
        details = AttachIScsiVolumeDetails(instance_id=cloud["node"], volume_id=cloud["boot"])
        is_(wait(compute, compute.attach_volume(details).data, "ATTACHED").volume_id, cloud["boot"])


def a_volume_is_made_grown_and_deleted(simulator):
    with Cloud(simulator, "--volume-delay", "100ms") as cloud:
        volumes = cloud.client(oci.core.BlockstorageClient)
        identity = cloud.client(oci.identity.IdentityClient)
        domains = identity.list_availability_domains(cloud.compartment).data
        is_(len(domains), 3)
        made = volumes.create_volume(CreateVolumeDetails(
            compartment_id=cloud.compartment, availability_domain=domains[0].name, size_in_gbs=50,
            display_name="made"), opc_retry_token="make-once").data
        is_(made.lifecycle_state, "PROVISIONING")
        wait_for = lambda state: oci.wait_until(
            volumes, volumes.get_volume(made.id), "lifecycle_state", state, **QUICK).data
        is_(wait_for("AVAILABLE").size_in_mbs, 50 * 1024)
        etag = volumes.get_volume(made.id).headers["etag"]
        volumes.update_volume(made.id, UpdateVolumeDetails(size_in_gbs=60), if_match=etag)
        is_(wait_for("AVAILABLE").size_in_gbs, 60)
        refused(412, "NoEtagMatch", volumes.delete_volume, made.id, if_match=etag)
        is_(volumes.delete_volume(made.id).status, 204)
        wait_for("TERMINATED")


def the_node_has_an_address(simulator):
    with Cloud(simulator, *NODE_AND_DISK) as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        network = cloud.client(oci.core.VirtualNetworkClient)
        instance = compute.get_instance(cloud["node"]).data
        is_((instance.lifecycle_state, instance.display_name), ("RUNNING", "node"))
        named = compute.list_instances(cloud.compartment, display_name="node").data
        is_([it.id for it in named], [instance.id])
        is_(compute.list_instances(cloud.compartment, display_name="nod").data, [])
        tie, = compute.list_vnic_attachments(cloud.compartment, instance_id=instance.id).data
        is_(compute.get_vnic_attachment(tie.id).data, tie)
        vnic = network.get_vnic(tie.vnic_id).data
        is_((vnic.hostname_label, vnic.public_ip, vnic.is_primary), ("node", "192.0.2.7", True))
        subnet, = network.list_subnets(cloud.compartment).data
        is_(subnet.id, vnic.subnet_id)
        is_(network.get_vcn(subnet.vcn_id).data.lifecycle_state, "AVAILABLE")


def lists_come_in_pages(simulator):
    names = [f"disk-{number}" for number in range(7)]
    arguments = [word for name in names for word in ("--volume", f"{name}=50")]
    with Cloud(simulator, "--page-size", "3", *arguments) as cloud:
        volumes = cloud.client(oci.core.BlockstorageClient)
        first = volumes.list_volumes(compartment_id=cloud.compartment)
        is_((len(first.data), first.has_next_page), (3, True))
        second = volumes.list_volumes(compartment_id=cloud.compartment, page=first.next_page)
        is_([it.display_name for it in first.data + second.data], names[:6])
        found = all_of(volumes.list_volumes, compartment_id=cloud.compartment, limit=2)
        is_([it.display_name for it in found], names)
        fewer = oci.pagination.list_call_get_up_to_limit(
            volumes.list_volumes, 5, 2, compartment_id=cloud.compartment).data
        is_([it.display_name for it in fewer], names[:5])


def an_empty_page_is_not_the_last(simulator):
    faults = [{"on": "ListVolumeAttachments", "calls": "1", "effect": "empty_page"}]
    with Cloud(simulator, *NODE_AND_DISK, faults=faults) as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        begun = compute.attach_volume(iscsi(cloud)).data
        found = all_of(compute.list_volume_attachments, cloud.compartment)
        is_([it.id for it in found], [begun.id])


def errors_have_a_status_a_code_and_a_request_id(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--instance", "far,ad=2", "--attach-delay", "0s") as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        volumes = cloud.client(oci.core.BlockstorageClient)
        nowhere = cloud["disk"][:-4] + "none"
        error = refused(404, "NotAuthorizedOrNotFound", volumes.get_volume, nowhere)
        assert error.request_id
        answer = volumes.get_volume(cloud["disk"])
        sent = answer.request.header_params["opc-request-id"]
        assert answer.request_id.startswith(f"{sent}/"), answer.request_id
        refused(404, "NotAuthorizedOrNotFound", compute.list_volume_attachments, "ocid1.compartment.oc1..other")
        refused(400, "InvalidParameter", compute.list_volume_attachments, cloud.compartment, limit=1001)
        refused(400, "InvalidParameter", compute.list_volume_attachments, cloud.compartment, page="none")
        far = AttachIScsiVolumeDetails(instance_id=cloud["far"], volume_id=cloud["disk"])
        refused(400, "InvalidParameter", compute.attach_volume, far)
        unnamed = AttachIScsiVolumeDetails(instance_id=cloud["node"])
        refused(400, "MissingParameter", compute.attach_volume, unnamed)
        wait(compute, compute.attach_volume(iscsi(cloud)).data, "ATTACHED")
        refused(409, "Conflict", compute.attach_volume, iscsi(cloud))
        refused(409, "Conflict", volumes.delete_volume, cloud["disk"])


def what_is_under_way_cannot_be_turned_round(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--attach-delay", "1h") as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        attachment = compute.attach_volume(iscsi(cloud)).data
        refused(409, "IncorrectState", compute.detach_volume, attachment.id)
        refused(409, "IncorrectState", compute.attach_volume, iscsi(cloud))


def an_etag_keeps_what_changed_from_being_detached(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--attach-delay", "1 polls") as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        begun = compute.attach_volume(iscsi(cloud))
        old = begun.headers["etag"]
        wait(compute, begun.data, "ATTACHED")
        now = compute.get_volume_attachment(begun.data.id).headers["etag"]
        assert old != now
        refused(412, "NoEtagMatch", compute.detach_volume, begun.data.id, if_match=old)
        is_(compute.detach_volume(begun.data.id, if_match=now).status, 204)


def a_retry_token_attaches_once(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--volume", "other=50") as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        first = compute.attach_volume(iscsi(cloud), opc_retry_token="once").data
        again = compute.attach_volume(iscsi(cloud), opc_retry_token="once").data
        is_(again.id, first.id)
        other = AttachIScsiVolumeDetails(instance_id=cloud["node"], volume_id=cloud["other"])
        refused(409, "InvalidatedRetryToken", compute.attach_volume, other, opc_retry_token="once")
        is_(len(compute.list_volume_attachments(cloud.compartment).data), 1)


def a_work_request_tells_how_it_went(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--attach-delay", "100ms") as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        work = cloud.client(oci.work_requests.WorkRequestClient)
        composite = oci.core.ComputeClientCompositeOperations(compute, work_request_client=work)
        attached = composite.attach_volume_and_wait_for_state(
            iscsi(cloud), wait_for_states=["ATTACHED"], waiter_kwargs=QUICK).data
        is_(attached.lifecycle_state, "ATTACHED")
        detached = composite.detach_volume_and_wait_for_work_request(attached.id, waiter_kwargs=QUICK)
        is_((detached.data.status, detached.data.operation_type), ("SUCCEEDED", "DetachVolume"))
        is_(work.list_work_request_errors(detached.data.id).data, [])


def a_failed_attach_has_a_reason(simulator):
    faults = [{"on": "AttachVolume", "calls": "1", "effect": "fails"}]
    with Cloud(simulator, *NODE_AND_DISK, "--attach-delay", "100ms", faults=faults) as cloud:
        compute = cloud.client(oci.core.ComputeClient)
        work = cloud.client(oci.work_requests.WorkRequestClient)
        begun = compute.attach_volume(iscsi(cloud))
        wait(compute, begun.data, "DETACHED")
        ended = work.get_work_request(begun.headers["opc-work-request-id"]).data
        is_(ended.status, "FAILED")
        reason, = work.list_work_request_errors(ended.id).data
        assert reason.message


def the_sdk_retries_what_passes(simulator):
    faults = [
        {"on": "GetVolume", "calls": "1", "effect": {"throttle": {"retry_after": 1}}},
        {"on": "GetVolume", "calls": "2",
         "effect": {"status": {"status": 503, "code": "ServiceUnavailable", "message": "Later."}}},
    ]
    strategy = oci.retry.RetryStrategyBuilder(retry_base_sleep_time_seconds=0, retry_max_wait_between_calls_seconds=1)
    strategy = strategy.get_retry_strategy()
    with Cloud(simulator, *NODE_AND_DISK, faults=faults) as cloud:
        volumes = cloud.client(oci.core.BlockstorageClient, retry_strategy=strategy)
        is_(volumes.get_volume(cloud["disk"]).data.display_name, "disk")
    is_(cloud.log.count("GetVolume"), 3)


def strangers_are_not_let_in(simulator):
    with Cloud(simulator, *NODE_AND_DISK) as cloud:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        forged = {**cloud.config, "key_content": pem.decode()}
        del forged["key_file"]
        stranger = cloud.client(oci.core.ComputeClient, config=forged)
        refused(401, "NotAuthenticated", stranger.get_instance, cloud["node"])
        unknown = {**cloud.config, "fingerprint": "00:" * 15 + "00"}
        refused(401, "NotAuthenticated", cloud.client(oci.core.ComputeClient, config=unknown).get_instance, cloud["node"])


def an_instance_signs_as_itself(simulator):
    with Cloud(simulator, *NODE_AND_DISK, "--attach-delay", "0s") as cloud:
        os.environ["OCI_METADATA_BASE_URL"] = cloud["metadata"]
        signer = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
            federation_endpoint=f"{cloud.endpoint}/v1/x509", federation_client_cert_bundle_verify=cloud.ca)
        is_(signer.region, cloud.config["region"])
        compute = cloud.client(oci.core.ComputeClient, config={}, signer=signer)
        is_(compute.get_instance(cloud["node"]).data.display_name, "node")
        token = signer.federation_client.get_security_token()
        signer.refresh_security_token()
        assert signer.federation_client.get_security_token() != token
        wait(compute, compute.attach_volume(iscsi(cloud)).data, "ATTACHED")
    is_(cloud.log.count(" Federation "), 2)


def a_signature_covers_date_and_body(simulator):
    with Cloud(simulator, *NODE_AND_DISK) as cloud:
        signer = oci.signer.Signer.from_config(cloud.config)
        url = f"{cloud.endpoint}/20160918/volumes/{cloud['disk']}"
        ask = lambda age: requests.get(
            url, auth=signer, verify=cloud.ca, headers={"date": formatdate(time.time() - age, usegmt=True)}).status_code
        is_((ask(0), ask(240), ask(360), ask(-360)), (200, 200, 401, 401))
        request = requests.Request("PUT", url, auth=signer, data=b'{"displayName": "a"}',
                                   headers={"content-type": "application/json"}).prepare()
        request.body = b'{"displayName": "b"}'
        with requests.Session() as session:
            session.verify = cloud.ca
            is_(session.send(request, verify=cloud.ca).status_code, 401)


def iscsi(cloud, **more):
    return AttachIScsiVolumeDetails(instance_id=cloud["node"], volume_id=cloud["disk"], **more)


def wait(compute, attachment, state):
    """The SDK's own waiter."""
    now = compute.get_volume_attachment(attachment.id)
    return oci.wait_until(compute, now, "lifecycle_state", state, **QUICK).data


def all_of(call, *arguments, **options):
    return oci.pagination.list_call_get_all_results(call, *arguments, **options).data


def refused(status, code, call, *arguments, **options):
    try:
        answer = call(*arguments, **options)
    except oci.exceptions.ServiceError as error:
        is_((error.status, error.code), (status, code))
        return error
    raise AssertionError(f"{call.__name__} is answered with {answer.status}, not {status} {code}")


def is_(found, expected):
    assert found == expected, f"it is {found!r}, not {expected!r}"


CHECKS = [
    an_iscsi_attachment_lives_and_ends,
    a_paravirtualized_attachment_has_a_device,
    a_fast_volume_has_more_portals,
    instances_share_a_volume_if_all_agree,
    an_instance_has_at_most_32_volumes,
    a_boot_volume_is_attached_as_data,
    a_volume_is_made_grown_and_deleted,
    the_node_has_an_address,
    lists_come_in_pages,
    an_empty_page_is_not_the_last,
    errors_have_a_status_a_code_and_a_request_id,
    what_is_under_way_cannot_be_turned_round,
    an_etag_keeps_what_changed_from_being_detached,
    a_retry_token_attaches_once,
    a_work_request_tells_how_it_went,
    a_failed_attach_has_a_reason,
    the_sdk_retries_what_passes,
    strangers_are_not_let_in,
    an_instance_signs_as_itself,
    a_signature_covers_date_and_body,
]
