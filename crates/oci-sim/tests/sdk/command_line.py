"""What Oracle's command line finds in the simulated cloud."""

import json
import os
import subprocess

from cloud import Cloud

NODE_AND_DISK = ["--instance", "node", "--volume", "disk=50", "--attach-delay", "100ms", "--detach-delay", "100ms"]


def it_attaches_waits_lists_and_detaches(simulator, program):
    with Cloud(simulator, *NODE_AND_DISK) as cloud:
        run = lambda *words: answer(call(cloud, program, "compute", "volume-attachment", *words))
        wait = ["--wait-interval-seconds", "1", "--wait-for-state"]
        attached = run("attach", "--type", "iscsi", "--instance-id", cloud["node"], "--volume-id", cloud["disk"],
                       *wait, "ATTACHED")
        assert attached["lifecycle-state"] == "ATTACHED" and attached["iqn"], attached
        listed = run("list", "--compartment-id", cloud.compartment, "--volume-id", cloud["disk"])
        assert [it["id"] for it in listed] == [attached["id"]], listed
        ended = run("detach", "--volume-attachment-id", attached["id"], "--force", *wait, "SUCCEEDED")
        assert (ended["operation-type"], ended["status"]) == ("DetachVolume", "SUCCEEDED"), ended
        listed = run("list", "--compartment-id", cloud.compartment)
        assert [it["lifecycle-state"] for it in listed] == ["DETACHED"], listed


def it_follows_pages(simulator, program):
    volumes = [word for number in range(5) for word in ("--volume", f"disk-{number}=50")]
    with Cloud(simulator, "--page-size", "2", *volumes) as cloud:
        words = ["bv", "volume", "list", "--compartment-id", cloud.compartment]
        assert len(answer(call(cloud, program, *words))) == 2
        names = [it["display-name"] for it in answer(call(cloud, program, *words, "--all"))]
        assert names == [f"disk-{number}" for number in range(5)], names


def it_tells_an_error(simulator, program):
    with Cloud(simulator, *NODE_AND_DISK) as cloud:
        ended = call(cloud, program, "bv", "volume", "get", "--volume-id", cloud["disk"][:-4] + "none")
        assert ended.returncode == 1, ended
        error = json.loads(ended.stderr.partition("\n")[2])
        assert (error["status"], error["code"]) == (404, "NotAuthorizedOrNotFound"), error


def it_signs_as_an_instance(simulator, program):
    with Cloud(simulator, *NODE_AND_DISK) as cloud:
        where = {"OCI_METADATA_BASE_URL": cloud["metadata"],
                 "OCI_CLI_FEDERATION_ENDPOINT": f"{cloud.endpoint}/v1/x509"}
        words = ["--auth", "instance_principal", "compute", "instance", "get", "--instance-id", cloud["node"]]
        assert answer(call(cloud, program, *words, **where))["display-name"] == "node"
    assert cloud.log.count(" Federation ") == 1, cloud.log


def call(cloud, program, *words, **variables):
    """Runs a command with a profile of the configuration file that the simulator wrote."""
    where = ["--config-file", cloud.config_file, "--profile", "DEFAULT", "--endpoint", cloud.endpoint,
             "--cert-bundle", cloud.ca]
    quiet = {"SUPPRESS_LABEL_WARNING": "True"}  # about a line for scanners of secrets in the key file
    return subprocess.run([program, *where, *words], capture_output=True, text=True, env={**os.environ, **quiet, **variables})


def answer(ended):
    assert ended.returncode == 0, ended
    return json.loads(ended.stdout)["data"]


CHECKS = [
    it_attaches_waits_lists_and_detaches,
    it_follows_pages,
    it_tells_an_error,
    it_signs_as_an_instance,
]
