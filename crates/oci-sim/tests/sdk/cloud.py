"""The simulated cloud as a process, and Oracle's clients set up to talk to it."""

import json
import subprocess
import tempfile
from pathlib import Path

import oci


class Cloud:
    """Runs `oci-sim` for as long as a `with` block lasts; `script` is what its file of that name holds."""

    def __init__(self, program, *arguments, **script):
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        file = folder / "script.json"
        file.write_text(json.dumps(script))
        command = [program, "--write-credentials", folder, "--script", file, *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._told = {}
        for line in self._process.stdout:
            words = line.split()
            if len(words) >= 2:
                self._told.setdefault(words[0], words[1])
            if "instance list" in line:  # the last line of the welcome
                break
        self.endpoint = self["API"]
        self.compartment = self["compartment"]
        self.ca = str(folder / "ca.pem")
        self.config_file = str(folder / "sdk-config")
        self.config = oci.config.from_file(self.config_file)
        self.log = None

    def __getitem__(self, name):
        """What the welcome says of a thing: an address, the OCID of an instance or a volume."""
        return self._told[name]

    def client(self, kind, config=None, **options):
        """A client of the SDK, over TLS, that is strict about what it is answered."""
        options.setdefault("retry_strategy", oci.retry.NoneRetryStrategy())
        config = self.config if config is None else config
        client = kind(config, service_endpoint=self.endpoint, **options)
        client.base_client.session.verify = self.ca
        _make_strict(client.base_client)
        return client

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self.log = self._process.stdout.read()
        self._process.wait()
        self._folder.cleanup()
        assert "violation" not in self.log, self.log


def _make_strict(base_client):
    """The SDK skips what it does not know, and takes the absence of what the API's reference calls
    required. Here either is an error, in every answer of every check."""
    read = base_client._BaseClient__deserialize_model

    def read_strictly(data, kind):
        model = read(data, kind)
        name = type(model).__name__
        unknown = set(data) - set(model.attribute_map.values())
        assert not unknown, f"{name} has no {', '.join(sorted(unknown))}"
        for attribute, field in model.attribute_map.items():
            value = getattr(model, attribute)
            about = getattr(type(model), attribute).__doc__ or ""
            required = "**[Required]**" in about and not _may_be_unknown(model, field)
            assert value is not None or not required, f"{name} lacks {field}"
            is_known = not (isinstance(value, str) and value == "UNKNOWN_ENUM_VALUE")
            assert is_known, f"{name}: {field} cannot be {data.get(field)}"
        return model

    base_client._BaseClient__deserialize_model = read_strictly


def _may_be_unknown(model, field):
    """Here the simulator is harder than the reference, on purpose: clients have been seen to use a
    target that is not ready, so it is told only when it is."""
    return field in ("ipv4", "iqn", "port") and getattr(model, "lifecycle_state", "") == "ATTACHING"
