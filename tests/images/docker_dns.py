"""Leads podman's containers to names.py instead of podman's own DNS: a hook that the runtime calls before one starts.

The files that are deployed name Docker's address; podman's is that of each network.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PORT = 5053
"""Where names.py answers, at the address of each network."""

HOOK = json.dumps(
    {
        "version": "1.0.0",
        "hook": {"path": sys.executable, "args": [sys.executable, "-I", "-S", __file__]},
        "when": {"always": True},
        "stages": ["createRuntime"],
    }
)


def rules(server: str) -> str:
    """Return what iptables-restore makes of it: whoever is asked, `server` answers."""
    return "\n".join(
        [
            "*nat",
            f"-A OUTPUT -p udp --dport 53 -j DNAT --to-destination {server}:{PORT}",
            # What was sent to Docker's address comes from the loopback interface, to which no answer finds its way.
            f"-A POSTROUTING -s 127.0.0.0/8 -d {server} -j MASQUERADE",
            "COMMIT\n",
        ]
    )


def main() -> None:
    """Do it for the container whose state stands on standard input."""
    state = json.load(sys.stdin)
    config = json.loads((Path(state["bundle"]) / "config.json").read_text())
    if not any(namespace["type"] == "network" for namespace in config["linux"]["namespaces"]):
        return  # it is in the network of whoever started it
    script = "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; exec /usr/sbin/iptables-restore"
    subprocess.run(
        ["/usr/bin/nsenter", "--net", f"--target={state['pid']}", "/bin/sh", "-ec", script],
        input=rules(_server(config)),
        text=True,
        check=True,
    )


def _server(config: dict[str, Any]) -> str:
    [file] = (mount["source"] for mount in config["mounts"] if mount["destination"] == "/etc/resolv.conf")
    return next(line.split()[1] for line in Path(file).read_text().splitlines() if line.startswith("nameserver"))


if __name__ == "__main__":
    main()
