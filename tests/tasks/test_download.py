"""Downloads from a real server on this machine, some of which are broken or never end."""

import gzip
import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tasks.data.fetching import SourceUnreachableError, TimeLimits, read_chunks
from tasks.download import download_reviews
from tasks.sources import Source, resolve_source
from tests.archives import make_sample

CONTENT = make_sample(200)[0]
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHORT = TimeLimits(connect=2.0, read=0.3, total=5.0)


def stall(over: threading.Event) -> Iterator[bytes]:
    yield CONTENT[:50_000]
    over.wait(30)


def trickle(over: threading.Event) -> Iterator[bytes]:
    for place in range(len(CONTENT)):
        yield CONTENT[place : place + 1]
        if over.wait(0.05):
            break


def send_endlessly(over: threading.Event) -> Iterator[bytes]:
    while not over.is_set():
        yield bytes(1 << 20)


def compress(request: Request) -> Response:
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return Response(CONTENT)
    return Response(gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"})


@pytest.fixture(scope="module")
def make_httpserver() -> Iterator[HTTPServer]:
    """A server with threads, so that it answers the next attempt while the previous one stalls."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def server(httpserver: HTTPServer) -> Iterator[HTTPServer]:
    """A server whose paths name its behaviour."""
    over, once, always = threading.Event(), httpserver.expect_oneshot_request, httpserver.expect_request
    size = {"Content-Length": str(len(CONTENT))}
    always("/good").respond_with_data(CONTENT)
    always("/wrong").respond_with_data(CONTENT.upper())
    always("/gzip").respond_with_handler(compress)
    always("/404").respond_with_response(Response(status="404 Not Found"))
    always("/500").respond_with_response(Response(status="500 Internal Server Error"))
    always("/moved").respond_with_data(status=302, headers={"Location": "/good"})
    always("/circle").respond_with_data(status=302, headers={"Location": "/circle"})
    for _ in range(2):
        once("/busy-twice").respond_with_data(status=503)
    always("/busy-twice").respond_with_data(CONTENT)
    once("/cut-once").respond_with_response(Response([CONTENT[:50_000]], headers=size))
    always("/cut-once").respond_with_data(CONTENT)
    always("/cut").respond_with_response(Response([CONTENT[:50_000]], headers=size))
    always("/gigabytes").respond_with_response(Response([CONTENT], headers={"Content-Length": str(3 << 30)}))
    always("/stall").respond_with_handler(lambda _request: Response(stall(over), headers=size))
    always("/trickle").respond_with_handler(lambda _request: Response(trickle(over), headers=size))
    always("/endless").respond_with_handler(lambda _request: Response(send_endlessly(over)))
    yield httpserver
    over.set()


def asked(server: HTTPServer) -> list[str]:
    return [request.path for request, _ in server.log]


@pytest.fixture
def download(run_task, store):
    """Download into the store as the flow does, with short pauses between attempts; return the final state."""

    def run(source: Source, limits: TimeLimits | None = None):
        return run_task(download_reviews.with_options(retry_delay_seconds=0.05), source, store, limits or TimeLimits())

    return run


def failure_of(state) -> BaseException:
    assert state.is_failed()
    return state.result(raise_on_failure=False)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_bytes_of_an_address_are_streamed(server):
    assert b"".join(read_chunks(server.url_for("/good"), SHORT)) == CONTENT


def test_a_redirect_is_followed(server):
    assert b"".join(read_chunks(server.url_for("/moved"), SHORT)) == CONTENT
    assert asked(server) == ["/moved", "/good"]


def test_the_bytes_of_a_file_are_read(tmp_path):
    (tmp_path / "reviews.npz").write_bytes(CONTENT)
    assert b"".join(read_chunks(str(tmp_path / "reviews.npz"), SHORT)) == CONTENT


def test_no_compressed_copy_is_asked_for_because_the_hash_is_of_the_file_itself(server):
    assert b"".join(read_chunks(server.url_for("/gzip"), SHORT)) == CONTENT


def test_a_server_that_sends_too_slowly_to_finish_is_given_up(server):
    with pytest.raises(SourceUnreachableError, match=r"not finished after 0\.4 s") as caught:
        list(read_chunks(server.url_for("/trickle"), TimeLimits(connect=2.0, read=2.0, total=0.4)))
    assert caught.value.transient


def test_a_closed_port_is_found_out_in_one_line():
    address = f"http://127.0.0.1:{closed_port()}/imdb.npz"
    with pytest.raises(SourceUnreachableError) as caught:
        list(read_chunks(address, TimeLimits()))
    assert str(caught.value) == (
        f"{address} could not be fetched: [Errno 111] Connection refused. "
        "Check the network, or give `source` a file or another address."
    )
    assert caught.value.transient


def test_a_name_that_nobody_has_is_found_out():
    with pytest.raises(SourceUnreachableError, match=r"^http://nosuchhost\.invalid/imdb\.npz could not be fetched: "):
        list(read_chunks("http://nosuchhost.invalid/imdb.npz", TimeLimits(connect=2.0)))


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    """The time limits of httpx do not cover the resolver, which may try for half a minute without a name server."""
    over, began, ended = threading.Event(), [], []

    def answer_late(name, *_arguments, **_options):
        began.append(name)
        over.wait(60)
        ended.append(name)
        raise socket.gaierror("no name server answered")

    monkeypatch.setattr(socket, "getaddrinfo", answer_late)
    try:
        with pytest.raises(SourceUnreachableError, match=r"the name example\.org was not resolved in 0\.2 s") as caught:
            list(read_chunks("http://example.org/imdb.npz", TimeLimits(connect=0.2)))
        assert (began, ended) == (["example.org"], [])
    finally:
        over.set()
    assert caught.value.transient


@pytest.mark.parametrize(
    "address",
    [
        f"http://{'a' * 70}.example/imdb.npz",
        "http://a..b/imdb.npz",
        "http://127.0.0.1:99999/imdb.npz",
        "http:///imdb.npz",
    ],
)
def test_an_address_that_can_be_none_is_refused_in_one_line(address, capsys):
    with pytest.raises(SourceUnreachableError) as caught:
        list(read_chunks(address, TimeLimits()))
    assert str(caught.value).startswith(f"{address} could not be fetched: ")
    assert "\n" not in str(caught.value)
    assert not caught.value.transient
    assert capsys.readouterr().err == ""


def test_a_redirect_in_a_circle_is_given_up(server):
    with pytest.raises(SourceUnreachableError, match="redirects") as caught:
        list(read_chunks(server.url_for("/circle"), SHORT))
    assert not caught.value.transient


def test_good_bytes_are_published_with_their_hash(server, download, store):
    state = download(Source(server.url_for("/good"), SHA256))
    dataset = state.result()
    assert state.name == "Completed"
    assert dataset.step == "download"
    assert dataset.source == server.url_for("/good")
    assert store.read_verified(dataset.files["archive"]) == CONTENT
    assert asked(server) == ["/good"]


def test_the_word_index_is_fetched_too(server, download, store):
    (Path(store.uri).parent / "words.json").write_bytes(b"hello")
    word_index = (
        str(Path(store.uri).parent / "words.json"),
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    )
    dataset = download(Source(server.url_for("/good"), SHA256, *word_index)).result()
    assert store.read_verified(dataset.files["word_index"]) == b"hello"


def test_a_second_download_finds_the_first_and_asks_nobody(server, download):
    source = Source(server.url_for("/good"), SHA256)
    first, second = download(source), download(source)
    assert (first.name, second.name) == ("Completed", "Cached")
    assert second.result() == first.result()
    assert asked(server) == ["/good"]


def test_a_damaged_archive_in_the_store_is_put_aside_and_fetched_again(server, download, store):
    source = Source(server.url_for("/good"), SHA256)
    file = download(source).result().files["archive"]
    Path(store.locate(file.path)).write_bytes(CONTENT[:-1] + b"X")
    state = download(source)
    assert state.name == "Completed"
    assert store.read_verified(file) == CONTENT
    assert asked(server) == ["/good", "/good"]
    put_aside = [path for path in store.list_files("quarantine") if path.endswith(f"-raw-{SHA256[:16]}.npz")]
    assert [store.read_bytes(path)[-1:] for path in put_aside] == [b"X"]


def test_a_server_that_is_busy_twice_is_asked_a_third_time(server, download, store):
    dataset = download(Source(server.url_for("/busy-twice"), SHA256)).result()
    assert asked(server) == ["/busy-twice"] * 3
    assert store.read_verified(dataset.files["archive"]) == CONTENT


def test_a_connection_cut_once_is_tried_again(server, download, store):
    dataset = download(Source(server.url_for("/cut-once"), SHA256)).result()
    assert asked(server) == ["/cut-once"] * 2
    assert store.read_verified(dataset.files["archive"]) == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("500", "the server answered 500 Internal Server Error"),
        ("cut", "peer closed connection without sending complete message body"),
        ("stall", "timed out"),
    ],
)
def test_what_stays_broken_is_tried_three_times_and_publishes_nothing(server, download, store, behaviour, reason):
    error = failure_of(download(Source(server.url_for(behaviour), SHA256), SHORT))
    assert type(error) is SourceUnreachableError
    assert str(error).startswith(f"{server.url_for(behaviour)} could not be fetched: {reason}")
    assert asked(server) == [f"/{behaviour}"] * 3
    assert store.list_files("") == []


def test_an_answer_that_will_not_change_is_not_asked_for_again(server, download, store):
    error = failure_of(download(Source(server.url_for("/404"), SHA256)))
    assert type(error) is SourceUnreachableError
    assert str(error) == (
        f"{server.url_for('/404')} could not be fetched: the server answered 404 Not Found. "
        "Check the network, or give `source` a file or another address."
    )
    assert asked(server) == ["/404"]
    assert store.list_files("") == []


def test_wrong_bytes_are_refused_by_both_hashes_and_not_asked_for_again(server, download, store):
    error = failure_of(download(Source(server.url_for("/wrong"), SHA256)))
    received = hashlib.sha256(CONTENT.upper()).hexdigest()
    assert type(error) is ValueError
    assert str(error) == (
        f"{server.url_for('/wrong')} must have SHA-256 {SHA256}. Received: {received}, {len(CONTENT)} bytes."
    )
    assert asked(server) == ["/wrong"]
    assert store.list_files("") == []


def test_a_closed_port_fails_the_task_after_its_attempts(download, store):
    error = failure_of(download(Source(f"http://127.0.0.1:{closed_port()}/imdb.npz", SHA256)))
    assert type(error) is SourceUnreachableError
    assert "Connection refused" in str(error)
    assert store.list_files("") == []


@pytest.mark.parametrize("behaviour", ["gigabytes", "endless"])
def test_more_than_any_archive_has_is_given_up_and_not_asked_for_again(server, download, store, monkeypatch, behaviour):
    monkeypatch.setattr("tasks.data.fetching.MAXIMUM_FILE_BYTES", 10_000_000)
    error = failure_of(download(Source(server.url_for(behaviour), SHA256)))
    assert type(error) is SourceUnreachableError
    assert str(error).startswith(
        f"{server.url_for(behaviour)} could not be fetched: a file must have at most 10000000 bytes, and it has "
    )
    assert asked(server) == [f"/{behaviour}"]
    assert store.list_files("") == []


def test_a_file_that_is_larger_than_any_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.data.fetching.MAXIMUM_FILE_BYTES", 4)
    (tmp_path / "large.npz").write_bytes(b"hello")
    with pytest.raises(ValueError, match="a file must have at most 4 bytes, and it has 5 or more"):
        list(read_chunks(str(tmp_path / "large.npz"), SHORT))


def test_a_truncated_archive_is_refused_and_leaves_nothing(tmp_path, store, run_task):
    (tmp_path / "half.npz").write_bytes(CONTENT[: len(CONTENT) // 2])
    state = run_task(download_reviews, resolve_source(str(tmp_path / "half.npz"), None), store)
    error = state.result(raise_on_failure=False)
    assert isinstance(error, ValueError)
    assert str(error).endswith(
        f"half.npz must be a whole .npz archive. Received: {len(CONTENT) // 2} bytes, File is not a zip file."
    )
    assert store.list_files("") == []


@pytest.fixture
def proxy(monkeypatch):
    """A proxy on loopback that answers each request itself, and notes the address that it was asked for."""
    asked_for = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked_for.append(self.path)
            if self.path.endswith("/moved"):
                self.send_response(302)
                self.send_header("Location", "http://other.example/found")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"bytes")

        def log_message(self, *_arguments):
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listener.server_port}")
    yield asked_for
    listener.shutdown()
    listener.server_close()


def test_an_address_is_fetched_through_the_proxy_which_looks_its_name_up(proxy):
    assert b"".join(read_chunks("http://reviews.example/x.npz", SHORT)) == b"bytes"
    assert proxy == ["http://reviews.example/x.npz"]


def test_a_redirect_to_another_host_goes_through_its_own_proxy(proxy):
    assert b"".join(read_chunks("http://reviews.example/moved", SHORT)) == b"bytes"
    assert proxy == ["http://reviews.example/moved", "http://other.example/found"]


def test_this_machine_is_asked_without_the_proxy(proxy, server):
    assert b"".join(read_chunks(server.url_for("/good"), SHORT))
    assert proxy == []


def test_a_proxy_of_another_kind_is_found_out_in_one_line(monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://user:word@127.0.0.1:1080")
    with pytest.raises(SourceUnreachableError, match="http_proxy must be an http:// or https:// address") as caught:
        list(read_chunks("http://reviews.example/x.npz", SHORT))
    assert "word" not in str(caught.value)


def test_missing_certificates_are_found_out_for_https_alone(monkeypatch, proxy, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    assert b"".join(read_chunks("http://reviews.example/x.npz", SHORT)) == b"bytes"
    with pytest.raises(SourceUnreachableError, match="SSL_CERT_FILE must name a file of certificates"):
        list(read_chunks("https://127.0.0.1:1/x.npz", SHORT))
