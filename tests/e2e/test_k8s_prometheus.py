"""A real Prometheus with the configuration for Kubernetes, told of pods: what it scrapes, and by which names."""

import mmap
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from aiohttp import web

from deploy.local.child import Program
from deploy.local.ports import HOST, free_ports
from tests.k8s.api import Api, pod_of
from tests.k8s.manifests import one, overlay
from tests.observability import FOLDER
from tests.processes import Processes
from tests.tools import missing
from tests.waiting import eventually

API, EMITTERS, OTHERS = ["127.0.0.2", "127.0.0.3"], ["127.0.0.5", "127.0.0.6"], ["127.0.0.8", "127.0.0.9"]
DISCOVERY = b"discovery/kubernetes"
Result = list[tuple[dict[str, str], float]]


def find_prometheus() -> str:
    """Return a Prometheus that can discover pods: Debian 12's was built without that."""
    places = (str(Path(sys.executable).parent), os.environ.get("PATH", ""))
    found = [program for place in places if (program := shutil.which("prometheus", path=place))]
    able = (program for program in found if discovers_pods(Path(program)))
    return next(able, None) or missing("there is no prometheus that discovers pods on this machine: Debian 13 has one")


def discovers_pods(program: Path) -> bool:
    """Whether a Prometheus has that part in it."""
    with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as code:
        return code.find(DISCOVERY) >= 0


@pytest.fixture(scope="module")
async def prometheus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Prometheus before two replicas and two emitters, and before two pods that it has to leave alone."""
    executable = find_prometheus()
    folder = tmp_path_factory.mktemp("prometheus")
    metrics_port, port = free_ports(2)
    deployments = {name: one(overlay("many-emitters"), "Deployment", name) for name in ("api", "emitter")}
    stranger = {**deployments["api"], "metadata": {"name": "stranger"}}
    stranger["spec"] = {"template": {**stranger["spec"]["template"], "metadata": {"labels": {"app": "stranger"}}}}
    pods = [
        *(pod_of(deployments["api"], number, address, metrics_port) for number, address in enumerate(API)),
        *(pod_of(deployments["emitter"], number, address, metrics_port) for number, address in enumerate(EMITTERS)),
        pod_of(stranger, 0, OTHERS[0], metrics_port),
        pod_of(deployments["api"], 9, OTHERS[1], metrics_port, phase="Succeeded"),
    ]
    async with AsyncExitStack() as stack:
        for address in (*API, *EMITTERS, *OTHERS):
            await stack.enter_async_context(metrics_of(address, metrics_port))
        kubernetes = await stack.enter_async_context(Api(pods).running())
        configure(folder, kubernetes)
        program = Program(
            name="prometheus",
            address=f"{HOST}:{port}",
            command=(
                executable,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={HOST}:{port}",
                "--log.level=warn",
            ),
        )
        processes = stack.enter_context(Processes([program], folder))
        processes.start_what_is_down()
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False, timeout=30)
        )

        async def scraped() -> bool:
            try:
                return len(await query(client, "up == 1")) >= len(API) + len(EMITTERS)
            except httpx.HTTPError:  # it says 503 until it is ready
                return False

        await eventually(scraped, timeout_s=30, message=f"the pods are scraped\n{processes.tails()}")
        yield client


def configure(folder: Path, kubernetes: str) -> None:
    """Write down the configuration as it is shipped, but for where the cluster is, and how often it looks."""
    configuration: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus-kubernetes.yml").read_text())
    [scrape] = configuration["scrape_configs"]
    [discovery] = scrape["kubernetes_sd_configs"]
    discovery["api_server"] = kubernetes
    configuration["global"] |= {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    shutil.copy(FOLDER / "alerts.yml", folder)


@asynccontextmanager
async def metrics_of(address: str, port: int) -> AsyncIterator[None]:
    """Serve what a pod at an address says."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=f"# TYPE storecast_connections gauge\nstorecast_connections {address[-1]}\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield
    finally:
        await runner.cleanup()


async def query(client: httpx.AsyncClient, expression: str) -> Result:
    """Return what an expression is now."""
    answer = await client.get("/api/v1/query", params={"query": expression})
    answer.raise_for_status()
    return [(each["metric"], float(each["value"][1])) for each in answer.json()["data"]["result"]]


async def test_the_pods_of_both_services_are_scraped_and_no_others(prometheus: httpx.AsyncClient) -> None:
    """Ready or not; under the jobs that the alerts rely on, by their own names; not what has ended, nor a stranger."""
    targets = {(labels["job"], labels["instance"]) for labels, up in await query(prometheus, "up") if up}
    assert targets == {
        *(("storecast-api", f"api-{number}") for number in range(len(API))),
        *(("storecast-emitter", f"emitter-{number}") for number in range(len(EMITTERS))),
    }


async def test_the_alerts_are_loaded(prometheus: httpx.AsyncClient) -> None:
    """All of them, and none is at fault."""
    groups = (await prometheus.get("/api/v1/rules")).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 20
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}


async def test_an_adapter_finds_the_connections_of_each_emitter(prometheus: httpx.AsyncClient) -> None:
    """The rule for prometheus-adapter, filled in as it does for the autoscaler's pods, gives one figure for each."""
    [rule] = yaml.safe_load((FOLDER / "prometheus-adapter.yml").read_text())["rules"]
    series = rule["seriesQuery"].partition("{")[0]
    assert await query(prometheus, rule["seriesQuery"])
    assert rule["resources"]["overrides"].keys() == {"namespace", "pod"}
    filled_in = (
        rule["metricsQuery"]
        .replace("<<.Series>>", series)
        .replace("<<.LabelMatchers>>", 'namespace="storecast",pod=~"emitter-0|emitter-1"')
        .replace("<<.GroupBy>>", "pod")
    )
    found = {labels["pod"]: value for labels, value in await query(prometheus, filled_in)}
    assert found == {f"emitter-{number}": float(address[-1]) for number, address in enumerate(EMITTERS)}
