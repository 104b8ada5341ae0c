"""What is served where, who may come, and tabs that share one cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from lab.chronicle import Chronicle
from lab.cluster.interface import ClusterError
from lab.faults import DiskTrouble, Fault, FaultKind, LinkTrouble, Rhythm
from lab.observe.happenings import Noted
from lab.observe.view import EventView
from lab.options import Wishes, looks_of, parse, world_of
from lab.scenarios.script import ScenarioError
from lab.serve.host import Host
from lab.serve.serving import Serving
from lab.serve.shared import SharedCluster
from lab.serve.web import Web
from lab.serve.where import Where, is_loopback, listen, warning, where_of
from lab.serve.words import Asked, Done, Said, Told, Word, line_of, word_of
from lab.session import show
from lab.setup.log import _extra
from lolraft.errors import LolraftError
from tests.lab import demo
from tests.lab.fakes import FakeCluster

PATIENCE_S = 10.0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # A picture is a value: nothing tells of it.
            await asyncio.sleep(0.005)


# Where.


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("9000", Where("127.0.0.1", 9000)),
        (":9000", Where("127.0.0.1", 9000)),
        ("localhost", Where("localhost", 8000)),
        ("0.0.0.0:80", Where("0.0.0.0", 80)),
        ("box.example:0", Where("box.example", 0)),
        ("[::1]:8001", Where("::1", 8001)),
        ("[::1]", Where("::1", 8000)),
        ("::1", Where("::1", 8000)),
    ],
)
def test_what_is_left_out_is_loopback(text: str, where: Where) -> None:
    assert where_of(text) == where
    assert parse(["--serve", text]).serve == where


def test_nobody_else_reaches_it_unless_a_host_is_spelled() -> None:
    assert parse(["--serve"]).serve == Where("127.0.0.1", 8000)
    assert parse([]).serve is None
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "box", "localhost.evil.com")))
    assert "WHOEVER REACHES" in warning(Where("0.0.0.0", 8000))
    assert "WHOEVER" not in warning(Where())
    assert "no password" in warning(Where())


@pytest.mark.parametrize("text", ["a:b", "x:70000", "http://here:80", "a b:80", "h:-1", ":٣"])
def test_nonsense_is_no_address(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--serve", text])
    assert "argument --serve" in capsys.readouterr().err


def test_an_address_that_is_taken_is_a_sentence_before_anything_starts() -> None:
    taken, where = listen(Where("127.0.0.1", 0))
    with taken, pytest.raises(ClusterError, match=f"cannot listen at 127.0.0.1:{where.port}"):
        Serving(where, [], lambda line: None)
    with pytest.raises(ClusterError, match="cannot listen"):
        listen(Where("no.such.host.invalid", 0))


# Which tabs.


def test_only_a_world_in_virtual_time_is_had_by_each_tab() -> None:
    assert world_of(Wishes()) is None
    assert world_of(Wishes(backend="local", seed=3)) is None
    assert world_of(Wishes(connect=("here:1",))) is None
    assert world_of(Wishes(seed=3)) is not None
    replayed = world_of(Wishes(replay=Path("film")))
    assert replayed == ["--replay", str(Path("film").resolve())]
    wishes = Wishes(backend="sim", nodes=5, seed=7, scenario="first-election")
    world = parse(["--tab=", *(world_of(wishes) or ())])
    assert (world.tab, world.nodes, world.seed) == ("", 5, 7)
    assert (world.backend, world.scenario) == ("sim", "first-election")
    assert looks_of(Wishes(ascii_glyphs=True)) == ["--ascii"]


@pytest.mark.parametrize(
    "beside",
    [
        ["--plain"],
        ["--json"],
        ["--headless"],
        ["heal"],
        ["--backend", "sim", "--record", "f"],
        ["--seed", "1", "--report", "d"],
        ["--scenario", "first-election"],
        ["--backend", "local", "--seed", "1", "--scenario", "first-election"],
    ],
    ids=" ".join,
)
def test_what_a_browser_cannot_do_is_refused(
    beside: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([*beside, "--serve"])
    assert "leave out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        (Wishes(replay=Path("no such film")), "no such film"),
        (Wishes(backend="sim", scenario="no such story"), "there is no scenario"),
        (Wishes(seed=3, nodes=5), "opens the world of that seed"),
    ],
)
async def test_what_no_tab_could_show_is_said_where_it_is_served(wishes: Wishes, says: str) -> None:
    with pytest.raises((ClusterError, LolraftError, ScenarioError), match=says):
        await show(replace(wishes, serve=Where("127.0.0.1", 0)), lambda line: None)


def test_only_who_serves_needs_the_server_installed() -> None:
    assert _extra(["--serve"]) == _extra(["--serve=:80", "--new"]) == "serve"
    assert _extra(["--backend", "sim"]) == "lab"


# Words.

EVENT = EventView(at_s=1.0, node="n1", kind="you", text="you: kill n1", by_you=True)
FAULT = Fault(
    number=4, kind=FaultKind.DELAY, nodes=("n1", "n2"), since_s=2.0, mechanism="transport rule",
    links=(("n1", "n2"),), trouble=LinkTrouble(delay_s=0.1),
)  # fmt: skip
WORDS: list[Word] = [
    Said(event=EVENT),
    Asked(ticket=1, what="kill", names=("n1",)),
    Asked(ticket=2, what="partition", groups=(("n1", "n2"), ("n3",))),
    Asked(ticket=3, what="disturb", names=("n1",), kind=FaultKind.FLAP, trouble=Rhythm()),
    Asked(ticket=3, what="heal", fault=4),
    Done(ticket=3, refused="no"),
    Done(ticket=3, fault=FAULT),
    Done(ticket=3, node=FakeCluster(demo.cluster()).nodes()[0]),
    Told(
        backend="local", title="local:x", hands_off=None, ended=None,
        nodes=FakeCluster(demo.cluster()).nodes(), faults=(FAULT,),
        cannot={FaultKind.KILL: "not yours"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("word", WORDS, ids=lambda word: type(word).__name__)
def test_a_word_is_a_line_and_comes_back_equal(word: Word) -> None:
    line = line_of(word)
    assert line.count(b"\n") == 1
    assert word_of(line) == word


# One cluster, many tabs.


async def tab_of(host: Host) -> SharedCluster:
    """Return a tab as a process of its own would have it: it looks before it runs a loop."""
    tab = await asyncio.to_thread(SharedCluster, host.path)
    await tab.start(lambda line: None)
    return tab


class Shared:
    """A cluster that only remembers, whoever has it, and two tabs."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(demo.cluster())
        self.notes: list[EventView] = []
        self.host = Host(self.cluster, self.notes.append)

    async def tab(self) -> SharedCluster:
        return await tab_of(self.host)


@asynccontextmanager
async def sharing() -> AsyncIterator[Shared]:
    shared = Shared()
    await shared.host.start()
    try:
        yield shared
    finally:
        await shared.host.close()
        assert not shared.host.path.parent.exists()


async def test_a_tab_knows_the_cluster_before_it_starts_to_look() -> None:
    async with sharing() as shared:
        shared.cluster.unable = {FaultKind.KILL: "these are not yours"}
        tab = await asyncio.to_thread(SharedCluster, shared.host.path)
        assert (tab.backend, tab.title) == (shared.cluster.backend, shared.cluster.title)
        assert tab.nodes() == shared.cluster.nodes()
        assert tab.faults() == shared.cluster.faults()
        assert tab.why_not(FaultKind.KILL) == "these are not yours"
        assert tab.why_not(FaultKind.CUT) is None
        assert tab.is_shared


async def test_what_a_tab_asks_for_is_done_to_the_one_cluster() -> None:
    async with sharing() as shared:
        tab = await shared.tab()
        for what in ("kill", "stop", "pause", "resume", "restart"):
            await getattr(tab, what)("n2")
        assert (await tab.cut("n1", "n2")).nodes == ("n1", "n2")
        assert (await tab.cut_both("n1", "n2")).kind is FaultKind.CUT_BOTH
        assert (await tab.isolate("n3")).nodes == ("n3",)
        groups = (("n1", "n2"), ("n3",))
        assert (await tab.partition(groups)).kind is FaultKind.PARTITION
        full = DiskTrouble(full=True)
        assert (await tab.disturb(FaultKind.FULL_DISK, ("n1",), full)).nodes == ("n1",)
        assert (await tab.add_node()).name == "n9"
        await tab.heal()
        fault = tab.faults()[0]
        await tab.heal(fault)
        assert shared.cluster.calls == [
            *((what, "n2") for what in ("kill", "stop", "pause", "resume", "restart")),
            ("cut", "n1", "n2"),
            ("cut_both", "n1", "n2"),
            ("isolate", "n3"),
            ("partition", groups),
            ("disturb", FaultKind.FULL_DISK, ("n1",), full),
            ("add_node",),
            ("heal", None),
            ("heal", fault.number),
        ]
        await tab.close()
        assert ("close", False) not in shared.cluster.calls, "who leaves only looks away"


async def test_a_refusal_reaches_the_tab_in_its_own_words() -> None:
    async with sharing() as shared:
        tab = await shared.tab()
        shared.cluster.refusing = "n1 is gone"
        with pytest.raises(ClusterError, match="n1 is gone"):
            await tab.kill("n1")
        shared.cluster.partition = None  # type: ignore[assignment,method-assign]  # It raises.
        with pytest.raises(ClusterError, match="TypeError: "):
            await tab.partition((("n1",), ("n2",)))
        await tab.close()


async def test_two_tabs_act_on_a_node_one_after_the_other() -> None:
    class Slow(FakeCluster):
        def __init__(self) -> None:
            super().__init__(demo.cluster())
            self.now: list[str] = []
            self.most = 0

        async def kill(self, name: str) -> None:
            self.now.append(name)
            self.most = max(self.most, self.now.count("n1"))
            await asyncio.sleep(0.02)
            self.now.remove(name)
            await super().kill(name)

        restart = kill

    cluster = Slow()
    host = Host(cluster, lambda event: None)
    await host.start()
    tabs = [await tab_of(host) for _ in range(2)]
    await asyncio.gather(tabs[0].kill("n1"), tabs[1].restart("n1"), tabs[1].kill("n2"))
    assert cluster.most == 1
    assert len(cluster.calls) == 3
    for tab in tabs:
        await tab.close()
    await host.close()


async def test_a_change_reaches_every_tab_and_so_does_who_made_it() -> None:
    async with sharing() as shared:
        heard: list[list[EventView]] = [[], []]
        tabs = []
        chronicles = []
        for mine in heard:
            tab = await shared.tab()
            chronicle = Chronicle()
            tab.join(Timeline(mine), chronicle)
            tabs.append(tab)
            chronicles.append(chronicle)
        changes: list[int] = []
        tabs[1].on_change(lambda: changes.append(len(tabs[1].faults())))
        shared.cluster._faults = (FAULT,)
        shared.cluster._changed()
        await until(lambda: tabs[0].faults() == tabs[1].faults() == (FAULT,))
        assert changes == [1]
        chronicles[0].take(Noted(at_s=1.0, event=EVENT))
        await until(lambda: heard[1])
        assert [(event.text, event.by_you) for event in heard[1]] == [("a tab: kill n1", False)]
        assert shared.notes == heard[1]
        assert heard[0] == [], "who did it has said so"
        for tab in tabs:
            await tab.close()


class Timeline:
    """Keep what is noted."""

    def __init__(self, notes: list[EventView]) -> None:
        self.note = notes.append


async def test_a_tab_whose_lab_has_ended_says_so() -> None:
    async with sharing() as shared:
        tab = await shared.tab()
    await until(lambda: tab.hands_off is not None)
    with pytest.raises(ClusterError, match="has ended"):
        await tab.kill("n1")
    await tab.close()
    with pytest.raises(ClusterError, match="has ended"):
        SharedCluster(shared.host.path)


async def test_the_socket_is_only_this_users() -> None:
    async with sharing() as shared:
        assert shared.host.path.parent.stat().st_mode & 0o077 == 0


# Who may come.


@asynccontextmanager
async def served(host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve a program that is no lab; yield `host:port`."""
    said: list[str] = []
    listening, where = listen(Where(host, 0))
    task = asyncio.ensure_future(Web("exec true", "nothing", where, said.append).run(listening))
    try:
        yield f"127.0.0.1:{where.port}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not any("Traceback" in line for line in said)


async def status(url: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status


async def test_the_page_leads_back_to_where_it_was_asked_for() -> None:
    async with served() as at, aiohttp.ClientSession() as session:
        named = f"localhost:{at.rpartition(':')[2]}"
        async with session.get(f"http://{at}/", headers={"Host": named}) as answer:
            assert f"ws://{named}/ws" in await answer.text()


async def test_a_page_of_another_site_gets_no_tab() -> None:
    async with served() as at:
        assert await status(f"http://{at}/ws", Origin="http://evil.example") == 403
        assert await status(f"http://{at}/ws", Origin=f"http://{at}") == 400  # No websocket.
        assert await status(f"http://{at}/", Origin="null") == 403


async def test_a_tab_that_talks_nonsense_is_a_line_and_no_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with served() as at, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://{at}/ws") as tab:
            await tab.send_str("nonsense")
            assert (await tab.receive()).type is aiohttp.WSMsgType.CLOSE
        assert await status(f"http://{at}/") == 200
    assert "Traceback" not in "".join(capfd.readouterr())


async def test_a_name_that_only_a_name_server_knows_is_not_this_machine() -> None:
    async with served() as at:
        port = at.rpartition(":")[2]
        assert await status(f"http://{at}/", Host=f"evil.example:{port}") == 403
        evil = {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}
        assert await status(f"http://{at}/ws", **evil) == 403
        assert await status(f"http://{at}/", Host=f"[::1]:{port}") == 200
    async with served("0.0.0.0") as at:  # Whoever spells a host has names of its own for it.
        assert await status(f"http://{at}/", Host="box.example") == 200
