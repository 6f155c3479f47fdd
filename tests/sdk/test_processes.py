"""Exit, fork, threads and multiprocessing: each process delivers its own calls, once."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
import tailwatch_sdk as tailwatch

from tests.sdk.receiver import Receiver
from tests.sdk.test_delivery import free_port

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")


def script(body: str) -> str:
    return "import os, sys\nimport tailwatch_sdk as tailwatch\n" + textwrap.dedent(body)


def test_a_script_that_just_ends_delivers(collector: Receiver, run) -> None:
    done = run(
        script("""
        tailwatch.configure(service_name="script")
        with tailwatch.inference_span("chat") as call:
            call.log(prediction="a")
        tailwatch.feedback(trace_id=call.trace_id, span_id=call.span_id, correct=True)
        """),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [span.resource["service.name"] for span in collector.spans] == ["script"]
    assert [log.name for log in collector.logs] == ["tailwatch.inference", "tailwatch.feedback"]


def test_a_script_that_fails_delivers_its_failure(collector: Receiver, run) -> None:
    done = run(
        script("""
        tailwatch.configure()
        with tailwatch.inference_span("chat"):
            raise MemoryError
        """),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    assert done.returncode == 1
    assert "MemoryError" in done.stderr
    assert collector.span().attributes["error.type"] == "MemoryError"


def test_an_unfinished_stream_is_delivered_at_exit(collector: Receiver, run) -> None:
    done = run(
        script("""
        tailwatch.configure()
        @tailwatch.inference("chat")
        def start():
            return (number for number in range(3))
        held = start()
        """),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert collector.span().attributes["gen_ai.response.finish_reasons"] == ["cancelled"]


def test_a_script_ends_although_its_collector_is_down(run) -> None:
    done = run(
        script("""
        tailwatch.configure()
        with tailwatch.inference_span("chat"):
            pass
        tailwatch.runtime._EXIT_TIMEOUT_S
        """).replace("tailwatch.runtime._EXIT_TIMEOUT_S", "print('done')"),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


@needs_fork
def test_parent_and_child_each_deliver_their_own_over_their_own_connection(collector: Receiver, run) -> None:
    done = run(
        script("""
        tailwatch.configure(service_name="forking")
        with tailwatch.inference_span("before"):
            pass
        assert tailwatch.flush(20)          # the parent now keeps a connection alive
        with tailwatch.inference_span("queued"):
            pass
        children = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                with tailwatch.inference_span("child"):
                    pass
                os._exit(0 if tailwatch.flush(20) else 1)
            children.append(pid)
        with tailwatch.inference_span("parent"):
            pass
        assert tailwatch.flush(20)
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        sys.exit(any(statuses))
        """),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(span.name for span in collector.spans) == ["before", "child", "child", "child", "parent", "queued"]
    assert len({span.trace_id for span in collector.spans}) == 6
    instances = {span.name: span.resource["service.instance.id"] for span in collector.spans}
    assert instances["child"] != instances["parent"] == instances["before"]


@needs_fork
def test_children_of_multiprocessing_deliver_when_they_end(collector: Receiver, run) -> None:
    done = run(
        script("""
        import multiprocessing
        def work(number):
            tailwatch.configure(service_name="pool")    # a no-op in a forked child
            with tailwatch.inference_span("child") as call:
                call.batch_size = number
        if __name__ == "__main__":
            tailwatch.configure(service_name="pool")
            context = multiprocessing.get_context("fork")
            children = [context.Process(target=work, args=(number,)) for number in range(2)]
            for child in children:
                child.start()
            for child in children:
                child.join(30)
        """),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(span.attributes["tailwatch.batch.size"] for span in collector.spans) == [0, 1]


def test_spawned_children_that_configure_themselves_deliver_too(collector: Receiver, tmp_path) -> None:
    path = tmp_path / "spawning.py"
    path.write_text(
        script("""
        import multiprocessing
        def work(number):
            tailwatch.configure(service_name="pool")
            with tailwatch.inference_span("child") as call:
                call.batch_size = number
        if __name__ == "__main__":
            for method in {"spawn", "forkserver"} & set(multiprocessing.get_all_start_methods()):
                child = multiprocessing.get_context(method).Process(target=work, args=(1,))
                child.start()
                child.join(30)
        """)
    )
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    done = subprocess.run(
        [sys.executable, path], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(collector.spans) == (2 if hasattr(os, "fork") else 1)


def test_sys_exit_in_a_signal_handler_delivers(collector: Receiver) -> None:
    body = script("""
        import signal
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        tailwatch.configure()
        with tailwatch.inference_span("chat"):
            pass
        print("ready", flush=True)
        signal.pause()
        """)
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with subprocess.Popen([sys.executable, "-c", body], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert collector.span().name == "chat"


def test_many_threads_lose_nothing(sdk: Receiver) -> None:
    def work() -> None:
        for _ in range(100):
            with tailwatch.inference_span("chat") as call:
                call.log(prediction="a")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tailwatch.flush(20)
    assert (len(sdk.spans), len(sdk.logs)) == (800, 800)
    assert len({span.span_id for span in sdk.spans}) == 800


def test_seeding_random_neither_repeats_ids_nor_is_disturbed(collector: Receiver, run) -> None:
    body = script("""
        import random
        random.seed(42)
        tailwatch.configure()
        with tailwatch.inference_span("chat") as call:
            print(call.trace_id, random.random())
        """)
    first, second = (run(body, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url).stdout.split() for _ in range(2))
    assert first[0] != second[0]
    assert first[1] == second[1] == "0.6394267984578837"
