"""A small imitation of the Kubernetes API: a controller may list and watch what there is; nothing changes."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from deploy.local.ports import HOST
from tests.k8s.manifests import Manifest, of_kind

# Of what a controller may ask for, and a name made of a plural in the usual way would be wrong.
_KINDS = {
    "endpointslices": "EndpointSlice",
    "ingresses": "Ingress",
    "ingressclasses": "IngressClass",
    "gatewayclasses": "GatewayClass",
    "httproutes": "HTTPRoute",
    "grpcroutes": "GRPCRoute",
    "tlsroutes": "TLSRoute",
    "tcproutes": "TCPRoute",
    "referencegrants": "ReferenceGrant",
    "backendtlspolicies": "BackendTLSPolicy",
    "ingressroutes": "IngressRoute",
    "ingressroutetcps": "IngressRouteTCP",
    "ingressrouteudps": "IngressRouteUDP",
    "middlewaretcps": "MiddlewareTCP",
    "serverstransports": "ServersTransport",
    "serverstransporttcps": "ServersTransportTCP",
    "tlsoptions": "TLSOption",
    "tlsstores": "TLSStore",
    "traefikservices": "TraefikService",
    "configmaps": "ConfigMap",
}


class Api:
    """Serves manifests."""

    def __init__(self, manifests: list[Manifest]) -> None:
        self._manifests = [_as_stored(manifest, index) for index, manifest in enumerate(manifests, start=1)]
        self._ends = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Run, and give the URL."""
        app = web.Application()
        app.router.add_get("/version", self._version)
        for prefix in ("/api/{version}", "/apis/{group}/{version}"):
            app.router.add_get(f"{prefix}/{{plural}}", self._list)
            app.router.add_get(f"{prefix}/namespaces/{{namespace}}/{{plural}}", self._list)
            # A controller writes down what has become of a resource. It is thanked for it.
            app.router.add_route("*", f"{prefix}/{{path:.*}}/status", self._status)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        try:
            yield f"http://{HOST}:{runner.addresses[0][1]}"
        finally:
            self._ends.set()
            await runner.cleanup()

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "37", "gitVersion": "v1.37.0"})

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(await request.json())

    async def _list(self, request: web.Request) -> web.StreamResponse:
        at = request.match_info
        version = f"{at['group']}/{at['version']}" if "group" in at else at["version"]
        kind = _KINDS.get(at["plural"], at["plural"].removesuffix("s").title())
        found = [each for each in of_kind(self._manifests, kind) if each["apiVersion"] == version]
        if name := dict(part.split("=") for part in request.query.get("fieldSelector", "").split(",") if part).get(
            "metadata.name"
        ):
            found = [each for each in found if each["metadata"]["name"] == name]
        found = [each for each in found if _is_selected(each, request.query.get("labelSelector", ""))]
        if request.query.get("watch") in {"true", "1"}:
            return await self._watch(request, version, kind, found)
        answer = {"apiVersion": version, "kind": f"{kind}List", "metadata": {"resourceVersion": "1000"}, "items": found}
        return web.json_response(answer)

    async def _watch(self, request: web.Request, version: str, kind: str, found: list[Manifest]) -> web.StreamResponse:
        """Tell what there is, if that is asked for, and nothing more."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if request.query.get("sendInitialEvents") == "true":
            end = {"k8s.io/initial-events-end": "true"}
            bookmark = {
                "apiVersion": version,
                "kind": kind,
                "metadata": {"resourceVersion": "1000", "annotations": end},
            }
            events = [*({"type": "ADDED", "object": each} for each in found), {"type": "BOOKMARK", "object": bookmark}]
            await response.write(b"".join(json.dumps(event).encode() + b"\n" for event in events))
        await self._ends.wait()
        return response


def _is_selected(manifest: Manifest, selector: str) -> bool:
    """Whether labels are what a selector of the form `name in (a,b)` wants."""
    own = manifest["metadata"].get("labels", {})
    return all(own.get(name) in re.split(", *", values) for name, values in re.findall(r"(\S+) in \((.+?)\)", selector))


def _as_stored(manifest: Manifest, number: int) -> Manifest:
    """Return a manifest with what a cluster adds to it."""
    added = {"uid": f"00000000-0000-0000-0000-{number:012}", "resourceVersion": str(number), "generation": 1}
    stored = {**manifest, "metadata": {**manifest["metadata"], **added}}
    if manifest["kind"] == "Service":
        ports = [{"protocol": "TCP", **port} for port in manifest["spec"]["ports"]]
        stored["spec"] = {"clusterIP": f"10.0.0.{number}", "type": "ClusterIP", **manifest["spec"], "ports": ports}
    return stored


def endpoints(service: str, ready: list[str], others: list[str], port: int) -> Manifest:
    """Return what Kubernetes knows of a Service's pods; the others are not ready."""

    def endpoint(address: str, *, is_ready: bool) -> Manifest:
        conditions = {"ready": is_ready, "serving": is_ready, "terminating": False}
        return {"addresses": [address], "conditions": conditions}

    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "namespace": "storecast",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [
            *(endpoint(address, is_ready=True) for address in ready),
            *(endpoint(address, is_ready=False) for address in others),
        ],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


def pod_of(workload: Manifest, number: int, address: str, port: int, phase: str = "Running") -> Manifest:
    """Return a pod as a Deployment makes it, with an address, and a port in place of its own."""
    template = json.loads(json.dumps(workload["spec"]["template"]))
    [container] = template["spec"]["containers"]
    container["ports"][0]["containerPort"] = port
    name = f"{workload['metadata']['name']}-{number}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": name, "namespace": "storecast"},
        "spec": template["spec"],
        "status": {"phase": phase, "podIP": address, "conditions": [{"type": "Ready", "status": "False"}]},
    }
