"""Many models in one container: fetched once, loaded when asked for, unloaded when memory is short."""

import asyncio
import io
import json
import tarfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.http_client import Pool
from penstock.localaws.sagemaker.hosting.lifecycle import Variant
from penstock.localaws.sagemaker.hosting.multi_model import MultiModels, Wanted, object_of
from tests.unit.localaws_hosting.servers import Server, serving

MANY = Variant(
    "live", "m", "sagemaker-xgboost:3.2-0", "s3://b/models/", {}, 1, 1.0, 60.0, "MultiModel", data_kind="Many"
)
UNCACHED = Variant(**{**MANY.__dict__, "caches_models": False})


class Container(Server):
    """A model server that follows AWS's contract for many models, and holds at most `room` of them."""

    def __init__(self, room=99, loading=None):
        super().__init__()
        self.room, self.loading, self.loaded, self.said = room, loading, {}, []

    async def _answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(size)
        method, path, _ = head.decode().split(" ", 2)
        self.said.append(f"{method} {path}")
        if path == "/models" and self.loading is not None:
            await self.loading.wait()
        status, content = self.respond(method, path.strip("/").split("/"), body)
        writer.write(b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n" % (status, len(content)) + content)
        return True

    def respond(self, method, path, body):
        if method == "DELETE":
            del self.loaded[path[1]]
            return 200, b""
        if path == ["models"]:
            asked = json.loads(body)
            if asked["model_name"] in self.loaded:
                return 409, b""
            if len(self.loaded) >= self.room:
                return 507, b"no memory"
            self.loaded[asked["model_name"]] = (Path(asked["url"]) / "name").read_text()
            return 200, b""
        return (200, self.loaded[path[1]].encode()) if path[1] in self.loaded else (404, b"")

    def count(self, start):
        return sum(said.startswith(start) for said in self.said)


class FakeS3:
    """An archive for each key of `models/` that says its own name."""

    def __init__(self, *absent):
        self.absent, self.downloads = absent, []

    def download_file(self, bucket, key, path, Callback):  # noqa: N803  boto3's name
        self.downloads.append(key)
        if key in self.absent:
            said = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(said, "HeadObject")
        content = key.removeprefix("models/").encode()
        with tarfile.open(path, "w:gz") as opened:
            member = tarfile.TarInfo("name")
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))


class AnInstance:
    """What is used of an instance."""

    id, ready = "i-1", True

    def __init__(self, port, opt_ml):
        self.pool, self.opt_ml = Pool(port), opt_ml


class Metrics:
    """Keeps what is noted."""

    def __init__(self):
        self.noted = []

    def note(self, endpoint, variant, metric, value):
        self.noted.append((metric, value))


class APlane:
    """A plane whose processes see directories where they are."""

    def __init__(self, s3):
        self.s3, self.metrics, self.execution = s3, Metrics(), self

    def part(self, make):
        assert make is Hosting
        return self

    def base(self, opt_ml):
        return str(opt_ml)

    def client(self, _service):
        return self.s3


class Asker:
    """One multi-model container with what stands before it."""

    def __init__(self, container, tmp_path, s3=None, variant=MANY):
        self.plane = APlane(s3 or FakeS3())
        self.models = MultiModels(self.plane)
        self.instance = AnInstance(container.port, tmp_path)
        self.variant = variant

    async def ask(self, target, seconds=5.0):
        wanted = Wanted("e", self.variant, target, {}, b"body", seconds)
        return await self.models.deliver(wanted, self.instance, self.instance.pool)


def asking(container, tmp_path, talk, **members):
    async def run():
        asker = Asker(container, tmp_path, **members)
        try:
            return await talk(asker)
        finally:
            asker.instance.pool.close()

    return serving(container, run)


def test_a_model_is_fetched_and_loaded_once(tmp_path):
    container = Container()

    async def talk(asker):
        replies = [await asker.ask("a.tar.gz"), await asker.ask("a.tar.gz"), await asker.ask("sub/b.tar.gz")]
        return asker, [reply.body for reply in replies]

    asker, bodies = asking(container, tmp_path, talk)
    assert bodies == [b"a.tar.gz", b"a.tar.gz", b"sub/b.tar.gz"]
    assert asker.plane.s3.downloads == ["models/a.tar.gz", "models/sub/b.tar.gz"]
    assert container.count("POST /models ") == 0
    assert container.said.count("POST /models") == 2
    assert [value for metric, value in asker.plane.metrics.noted if metric == "ModelCacheHit"] == [0, 1, 0]


def test_many_first_requests_at_once_load_it_once(tmp_path):
    container = Container()
    bodies = asking(
        container, tmp_path, lambda asker: asyncio.gather(*[asker.ask("a.tar.gz") for _ in range(8)])
    )
    assert {reply.body for reply in bodies} == {b"a.tar.gz"}
    assert container.said.count("POST /models") == 1


def test_the_least_recently_used_makes_room(tmp_path):
    container = Container(room=2)

    async def talk(asker):
        for target in ("a", "b", "a", "c", "a", "b"):
            assert (await asker.ask(target)).body == target.encode()

    asking(container, tmp_path, talk)
    assert container.count("DELETE") == 2  # b for c, then c for b: a was always used since
    assert set(container.loaded.values()) == {"a", "b"}


def test_a_container_without_room_for_one_model_is_heard(tmp_path):
    reply = asking(Container(room=0), tmp_path, lambda asker: asker.ask("a"))
    assert (reply.status, reply.body) == (507, b"no memory")


def test_a_model_the_container_let_go_is_loaded_again(tmp_path):
    container = Container()

    async def talk(asker):
        await asker.ask("a")
        container.loaded.clear()
        return await asker.ask("a")

    assert asking(container, tmp_path, talk).body == b"a"


def test_an_unknown_model_is_refused_in_awss_words_and_may_come_later(tmp_path):
    s3 = FakeS3("models/a.tar.gz")

    async def talk(asker):
        with pytest.raises(ServiceError) as caught:
            await asker.ask("a.tar.gz")
        s3.absent = ()
        return caught.value, (await asker.ask("a.tar.gz")).body

    error, body = asking(Container(), tmp_path, talk, s3=s3)
    assert error.code == "ValidationError"
    assert error.message == (
        "Failed to download model data(bucket: b, key: models/a.tar.gz). Please ensure that there is an object located "
        "at the URL and that the role passed to CreateModel has permissions to download the object."
    )
    assert body == b"a.tar.gz"


def test_who_does_not_get_it_in_time_is_told_to_come_again_and_loading_goes_on(tmp_path):
    async def talk(asker):
        container.loading = asyncio.Event()
        with pytest.raises(ServiceError) as caught:
            await asker.ask("a", seconds=0.05)
        container.loading.set()
        return caught.value, (await asker.ask("a")).body

    container = Container()
    error, body = asking(container, tmp_path, talk)
    assert (error.code, error.status) == ("ModelNotReadyException", 429)
    assert (body, container.said.count("POST /models")) == (b"a", 1)


def test_without_a_cache_each_request_loads_and_unloads(tmp_path):
    container = Container()

    async def talk(asker):
        await asker.ask("a")
        await asker.ask("a")
        return asker.plane.s3.downloads

    assert asking(container, tmp_path, talk, variant=UNCACHED) == ["models/a", "models/a"]
    assert (container.said.count("POST /models"), container.count("DELETE")) == (2, 2)
    assert list((tmp_path / "models").iterdir()) == []


def test_an_instance_that_was_started_again_has_nothing_loaded(tmp_path):
    container = Container()

    async def talk(asker):
        await asker.ask("a")
        assert asker.models.prefer([asker.instance], "a") is asker.instance
        asker.instance.pool.close()
        asker.instance.pool = Pool(container.port)
        container.loaded.clear()
        assert asker.models.prefer([asker.instance], "a") is None
        return (await asker.ask("a")).body

    assert asking(container, tmp_path, talk) == b"a"


@pytest.mark.parametrize("target", ["../a", "x/../../a", "/etc/passwd", "a\\..\\b", "..", "a/", "/"])
def test_a_name_that_leads_elsewhere_is_refused(target):
    with pytest.raises(ServiceError) as refused:
        object_of("s3://b/models/", target)
    assert refused.value.code == "ValidationError"


@pytest.mark.parametrize(
    ("prefix", "key"), [("s3://b/models/", "models/x/a"), ("s3://b/models", "models/x/a"), ("s3://b/", "x/a")]
)
def test_a_name_is_below_the_prefix(prefix, key):
    assert object_of(prefix, "x/a") == ("b", key)
