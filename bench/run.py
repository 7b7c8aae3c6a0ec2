"""Measure the web servers, the offer endpoint and the webhook path; print ratios against a peer of the same run.

`make bench`. Needs wrk (apt-get install wrk). Machines are noisy: the ratios mean something, the rates do not.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from builders_proofs import signed_proxy_query  # noqa: E402

SECONDS = 8
CONNECTIONS = 16
WEBHOOKS = 1500
PAGES, VISITORS = 20, 6_000
GRANIAN = ("-m", "granian", "--interface", "wsgi", "--factory", "--blocking-threads", "64")
GUNICORN = ("-m", "gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "64", "--log-level", "error")


def main() -> None:
    """Run every bench and print one line a figure."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        granian, gunicorn = empty_route("granian"), empty_route("gunicorn")
        print(f"empty route: granian {granian:.0f}/s, gunicorn {gunicorn:.0f}/s, ratio {granian / gunicorn:.2f}")
        for name, databases in engines().items():
            peer, offers = empty_route("granian", workers=1), offer_endpoint(Path(folder) / name, databases)
            found = f"offer endpoint on {name} {offers:.0f}/s, ratio {offers / peer:.3f} (bar 0.25)"
            print(f"one worker: empty route {peer:.0f}/s, {found}")
        rate, drained = webhook_path(Path(folder))
        print(f"webhooks on SQLite, 4 clients and 1 worker: {rate:.0f}/s taken, all handled {drained:.1f} s later")


def empty_route(server: str, *, workers: int = 2) -> float:
    """Requests a second of an app that does nothing. Units: requests/s."""
    port = free_port()
    if server == "granian":
        options = ("--workers", str(workers), "--port", str(port), "--log-level", "error")
        command = [*GRANIAN, *options, "bench.empty:create"]
    else:
        command = [*GUNICORN, "--bind", f"127.0.0.1:{port}", "bench.empty:create()"]
    with running([sys.executable, *command], dict(os.environ)):
        wait_for(f"http://127.0.0.1:{port}/")
        return wrk(f"http://127.0.0.1:{port}/")


def engines() -> dict[str, dict[str, str]]:
    """Environments of the databases that can be measured here, the default first."""
    found = {"SQLite": {}}
    if "TEST_POSTGRES_URL" in os.environ:
        urls = {"DATABASE_URL": os.environ["TEST_POSTGRES_URL"], "REDIS_URL": os.environ.get("TEST_REDIS_URL", "")}
        found["PostgreSQL"] = {name: url for name, url in urls.items() if url}
    return found


def offer_endpoint(folder: Path, databases: dict[str, str]) -> float:
    """Requests a second of `GET /proxy/offers` in the dev store's shop, every decision stored. Units: requests/s.

    Twenty product pages seen by thousands of visitors, each a few times, so that budgets are charged and not exhausted.
    """
    from shopify_upsell.cli.demo import prepare
    from shopify_upsell.cli.processes import Stack

    os.environ |= {"OFFER_RATE_PER_SECOND": "10000", "HOLDOUT_BASIS_POINTS": "0", "LOG_LEVEL": "WARNING"}
    ports = {"app_port": free_port(), "devstore_port": free_port()}
    with environment(databases), Stack(folder, **ports, devstore_options=("--orders", "1500")) as stack:
        prepare(stack)
        pairs = requests.get(f"{stack.devstore_url}/_dev/truth.json", timeout=10).json()["pairs"]
        products = sorted({pair["a"] for pair in pairs})[:PAGES]
        script = folder / "visitors.lua"
        script.write_text(a_crowd(products, stack.environment["SHOPIFY_API_SECRET"]))
        first = f"{stack.app_url}/proxy/offers?{a_view(products[0], 0, stack.environment['SHOPIFY_API_SECRET'])}"
        if not requests.get(first, timeout=10).json()["offers"]:
            raise SystemExit("the offer endpoint showed nothing: there is nothing to measure")
        return wrk(stack.app_url, "-s", str(script))


def a_view(product: int, visitor: int, secret: str) -> str:
    """The signed query of one page view."""
    parameters = {"placement": "theme/product_page", "product": str(product), "visitor": f"bench-visitor-{visitor:06}"}
    return signed_proxy_query(parameters, shop="glow.myshopify.com", now=datetime.now(UTC), secret=secret)


def a_crowd(products: list[int], secret: str) -> str:
    """A wrk script that asks for one page view after the other."""
    views = [a_view(products[number % len(products)], number, secret) for number in range(VISITORS)]
    listed = ",".join(f'"{view}"' for view in views)
    return f"""local views = {{{listed}}}
local at = math.random(#views)
request = function()
  at = at % #views + 1
  return wrk.format("GET", "/proxy/offers?" .. views[at])
end
"""


def webhook_path(folder: Path) -> tuple[float, float]:
    """(deliveries taken a second, seconds until all are handled) on SQLite with one web process and one worker."""
    from chaos.test_convergence import ENVIRONMENT, an_app
    from chaos.test_kill import send_all

    port, home = free_port(), folder / "webhooks"
    home.mkdir()
    url = f"sqlite:///{home / 'bench.db'}"
    database = an_app(url, home).extensions["wellpaired"].database
    environment = os.environ | ENVIRONMENT | {"DATABASE_URL": url, "WELLPAIRED_VAR_DIR": str(home)}
    environment |= {"SQLITE_SYNCHRONOUS": "FULL", "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "shopify_upsell.cli.main"]
    with running([*command, "web", "--port", str(port)], environment), running([*command, "worker"], environment):
        wait_for(f"http://127.0.0.1:{port}/healthz")
        messages = a_history(WEBHOOKS)
        started = time.monotonic()
        threads, taken = send_all(messages, port)
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - started
        drained = until_idle(database)
    return len(taken) / seconds, drained


def a_history(count: int) -> list:
    """Order, edit and refund webhooks of the chaos tests."""
    from chaos.deliveries import History

    from shopify_upsell.attribution.token import TOKEN_PURPOSE
    from shopify_upsell.core import ShopId
    from shopify_upsell.keyring import Keyring

    key = Keyring(("k" * 32,)).signing_keys(TOKEN_PURPOSE, ShopId(1))[0]
    return History(5, key, ShopId(1)).write(count)


def until_idle(database) -> float:
    """Seconds until no job waits. Raises: SystemExit after three minutes."""
    from sqlalchemy import func, select

    from shopify_upsell.jobs.store import JobRow

    started = time.monotonic()
    while time.monotonic() - started < 180:
        with database.read() as session:
            if not session.scalar(select(func.count()).select_from(JobRow).where(JobRow.state == "new")):
                return time.monotonic() - started
        time.sleep(0.1)
    raise SystemExit("the worker did not finish")


def wrk(address: str, *options: str) -> float:
    """Requests a second that wrk counts; a run with failed answers is no measurement."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "5s", *options, address]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(f"answers failed under load:\n{said}")
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", said)[1])


@contextmanager
def environment(values: dict[str, str]):
    """Settings for the length of a block."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def running(command: list[str], environment: dict[str, str]):
    """A process for the length of a block."""
    with ExitStack() as stack:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        yield process


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str) -> None:
    """Return once the address answers. Raises: SystemExit after thirty seconds."""
    for _ in range(150):
        try:
            requests.get(address, timeout=2)
        except requests.RequestException:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"{address} does not answer")


if __name__ == "__main__":
    main()
