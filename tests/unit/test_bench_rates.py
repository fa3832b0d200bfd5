"""The bench's arithmetic of what comes end to end, and that the README tells what was measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.load_results import LoadResult, SentHook, compare, medians, percentile, summarise
from tests.bench.measuring import cpu_seconds, cpu_seconds_of_tree
from tests.bench.report import BEGIN, END, format_figures, replace_figures
from tests.bench.store_costs import StoreCosts, count_writes

ROOT = Path(__file__).parents[2]
COSTS = StoreCosts(commands=40, scripts=8, synced_writes=16)


def resp(*commands: str) -> bytes:
    """Write commands as they stand in an append-only file."""
    return b"".join(
        b"*%d\r\n%s" % (len(words), b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words))
        for words in (command.split(" ") for command in commands)
    )


class TestSyncedWrites:
    def test_a_command_is_one(self):
        assert count_writes(resp("SELECT 0", "SET a 1", "DEL a")) == 2

    def test_what_a_script_or_a_transaction_wrote_at_once_is_one(self):
        assert count_writes(resp("SET a 1", "MULTI", "SET b Ж", "DEL a", "EXEC", "DEL b")) == 3

    def test_what_is_not_whole_is_none_yet(self):
        whole = resp("SET a 1", "MULTI", "SET b 1")
        assert count_writes(whole) == 1
        assert count_writes(whole[:-2]) == 1
        assert count_writes(resp("SET a 1", "SET b 123")[:-4]) == 1
        assert count_writes(b"") == 0

    def test_an_annotation_and_a_value_that_looks_like_a_command_are_none(self):
        value = b"*1\r\n$4\r\nEXEC\r\n"
        assert count_writes(b"#TS:1795970078\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n%s\r\n" % (len(value), value)) == 1


class TestARound:
    def test_a_hooks_time_is_from_the_begin_of_its_post_to_its_arrival(self):
        sent = [SentHook(lead=n, due=10.0 + n, began=10.5 + n, status=202) for n in range(4)]
        result = summarise(sent, {0: 10.51, 1: 11.52, 2: 12.53, 3: 13.54}, 0.2, COSTS)
        assert result == pytest.approx(
            LoadResult(taken=1.0, p50_ms=30, p99_ms=40, cpu_ms=50, per_second=4 / 3.04, synced_writes=4, commands=10,
                       scripts=2, sender_late_ms=500)
        )  # fmt: skip

    def test_one_that_was_not_taken_or_did_not_arrive_is_told_and_has_no_time(self):
        sent = [SentHook(0, 1, 1, 202), SentHook(1, 1, 1, 503), SentHook(2, 1, 1, 0), SentHook(3, 1, 1, 204)]
        result = summarise(sent, {0: 1.5, 2: 1.7}, 0.2, COSTS)  # the third had no answer, and arrived all the same
        assert (result.taken, result.p50_ms, result.cpu_ms) == (0.5, pytest.approx(700), pytest.approx(100))

    def test_of_another_round_s_hooks_nothing_counts(self):
        assert summarise([SentHook(1, 1, 1, 202)], {7: 1.5}, 0.2, COSTS).p50_ms is None

    @pytest.mark.parametrize(
        ("count", "share", "expected"), [(100, 0.99, 99), (20, 0.99, 19), (1, 0.5, 0), (10, 0.5, 5)]
    )
    def test_percentiles(self, count, share, expected):
        assert percentile(list(range(count)), share) == expected

    def test_of_none_there_is_none(self):
        assert percentile([], 0.5) is None


def result(p50: float | None, cpu: float = 1.0) -> LoadResult:
    return LoadResult(
        taken=1.0, p50_ms=p50, p99_ms=p50, cpu_ms=cpu, per_second=1.0, synced_writes=1.0, commands=1.0, scripts=1.0,
        sender_late_ms=0.0,
    )  # fmt: skip


class TestRounds:
    def test_the_ratio_is_the_median_of_the_rounds_own(self):
        ours, theirs = [result(10, 2), result(40, 2), result(9, 3)], [result(10, 1), result(10, 1), result(3, 1)]
        assert compare(ours, theirs) == {"p50_ms": 3.0, "p99_ms": 3.0, "cpu_ms": 2.0}

    def test_a_round_in_which_nothing_arrived_compares_with_none(self):
        assert compare([result(None), result(10)], [result(5), result(5)])["p50_ms"] == 2.0
        assert compare([result(None)], [result(5)])["p50_ms"] is None

    def test_the_figures_are_the_medians_and_each_round_stands_beside_them(self):
        row = medians([result(1), result(5), result(3)])
        assert row["p50_ms"] == 3
        assert [one["p50_ms"] for one in row["each_round"]] == [1, 5, 3]


def test_the_cpu_of_a_process_is_that_of_those_below_it_too():
    work = "import time\nwhile time.process_time() < 0.2: pass\nprint('done', flush=True)\ninput()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tree:
        assert tree.stdout is not None
        assert tree.stdout.readline() == "done\n"
        assert cpu_seconds_of_tree(tree.pid) >= cpu_seconds(tree.pid) + 0.2
        tree.communicate("\n")


class TestThePage:
    def test_the_readme_tells_the_figures_of_the_file(self):
        figures = format_figures(json.loads((ROOT / "docs" / "bench.json").read_text()))
        assert f"{BEGIN}{figures}{END}" in (ROOT / "README.md").read_text()

    def test_only_what_stands_between_the_marks_is_replaced(self, tmp_path):
        page = tmp_path / "page.md"
        page.write_text(f"before\n{BEGIN}old\n{END}after\n")
        found = {"machine": {"cores": 2, "cpu": "chip"}, "returns": {"commit": "abc", "a kill": [1.0, 4.0, 2.0]}}
        replace_figures(page, found)
        text = page.read_text()
        assert text.startswith(f"before\n{BEGIN}Measured on 2 cores (chip).\n")
        assert text.endswith(f"- a kill: 2.0 s, 4.0 s at most\n{END}after\n")

    def test_a_rival_that_could_not_run_says_why(self):
        rates = {
            "commit": "abc", "rounds": 1,
            "loads": [{"per_second": 5, "hooks": 20}, {"per_second": 2000, "hooks": 3000}],
            "missing": {"fastify_bullmq": "Node is not installed"},
            "contenders": {name: {rate: medians([result(p50)]) for rate in ("5", "2000")}
                           for name, p50 in (("relay", 20.0), ("least", 8.0))},
            "relay_to": {"least": {rate: compare([result(20.0)], [result(8.0)]) for rate in ("5", "2000")}},
            "idle_percent": {"relay": {"web": 0.31}, "least": {"web": 0.1}},
        }  # fmt: skip
        text = format_figures({"machine": {"cores": 2, "cpu": "chip"}, "rates": rates})
        assert "| Fastify, BullMQ | Node is not installed | Node is not installed |" in text
        assert "8.0 / 8.0; 1.0 (relay: 2.5 / 2.5; 1.0 times it)" in text
        assert "| the relay | 20 / 20; 1.0 | 100% taken, 1/s delivered; 1.0 |" in text
        assert "| the relay | 1.0, 1.0 | 1.0, 1.0 | web 0.3 |" in text
