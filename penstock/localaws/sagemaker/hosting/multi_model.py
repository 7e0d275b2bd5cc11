"""Multi-model containers: models fetched from below a prefix when they are first asked for, loaded, used, unloaded.

    <opt_ml>/models/<hash of the model's name>/model    the unpacked archive, kept for the next load
    POST /models, POST /models/{hash}/invoke, DELETE /models/{hash}    what the container is asked (AWS's contract)

Everything runs on the event loop; files are fetched in threads. What an instance has loaded is forgotten with its
connections: an instance that was started again has nothing loaded.
"""

import asyncio
import contextlib
import hashlib
import json
import shutil
import time
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting import artifacts
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.http_client import Lost, Pool, Reply
from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.states import Variant
from penstock.localaws.sagemaker.names import split_s3
from penstock.localaws.sagemaker.plane import Plane

_LOADING_SECONDS = 360.0  # AWS goes on loading that long after the caller was told to come again
_NOT_READY = (
    "The model {} is still being downloaded or loaded. Wait and try your request again: once it is loaded it is "
    "kept for the next requests."
)
_MISSING = (
    "Failed to download model data(bucket: {}, key: {}). Please ensure that there is an object located at the URL "
    "and that the role passed to CreateModel has permissions to download the object."
)


class NotLoaded(Exception):
    """The container would not load the model; `reply` is what it said."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True)
class Wanted:
    """One request for one model: `seconds` is how long loading and answering may take, each."""

    endpoint: str
    variant: Variant
    target: str
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def name(self) -> str:
        """The model's name in the container, which must do as a part of a path."""
        return hashlib.sha256(self.target.encode()).hexdigest()[:32]


@dataclass
class _Model:
    """A model in one container. `users` are requests that it is answering; it is not unloaded under them."""

    name: str
    loading: asyncio.Task[None]
    users: int = 0


@dataclass
class _Container:
    """What one instance has loaded, least recently used first. A lock a model: it is not loaded while unloaded."""

    models: OrderedDict[str, _Model] = field(default_factory=OrderedDict)
    locks: weakref.WeakValueDictionary[str, asyncio.Lock] = field(default_factory=weakref.WeakValueDictionary)

    def lock(self, name: str) -> asyncio.Lock:
        return self.locks.setdefault(name, asyncio.Lock())

    def idle(self) -> _Model | None:
        """The model that was not used for longest, none of those that are in use or being loaded."""
        return next((one for one in self.models.values() if one.loading.done() and not one.users), None)


class MultiModels:
    """The multi-model containers of a plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._hosting = plane.part(Hosting)
        self._containers: weakref.WeakKeyDictionary[Pool, _Container] = weakref.WeakKeyDictionary()
        # Not the loop's own threads: the embedded AWS needs those to answer what these wait for.
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="model-download")
        self._fetching: weakref.WeakValueDictionary[Path, asyncio.Lock] = weakref.WeakValueDictionary()

    def close(self) -> None:
        """Begin no more downloads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def prefer(self, instances: Sequence[Instance], target: str) -> Instance | None:
        """A ready instance that has the model already."""
        for instance in instances:
            container = self._containers.get(instance.pool) if instance.ready and instance.pool else None
            if container is not None and target in container.models:
                return instance
        return None

    async def deliver(self, wanted: Wanted, instance: Instance, pool: Pool) -> Reply:
        """The model's answer; raises ServiceError when there is no such model or it is not loaded in time."""
        container = self._containers.setdefault(pool, _Container())
        try:
            reply = await self._once(wanted, instance, pool, container)
            if reply.status == 404:  # the container has let it go by itself
                container.models.pop(wanted.target, None)
                reply = await self._once(wanted, instance, pool, container)
        except NotLoaded as refused:
            return refused.reply
        return reply

    async def _once(self, wanted: Wanted, instance: Instance, pool: Pool, container: _Container) -> Reply:
        model = await self._loaded(wanted, instance, pool, container)
        headers = {**wanted.headers, "x-amzn-sagemaker-target-model": wanted.target}
        model.users += 1
        try:
            return await pool.post(f"/models/{model.name}/invoke", headers, wanted.body, wanted.seconds)
        finally:
            model.users -= 1
            if not wanted.variant.caches_models and not model.users:
                with contextlib.suppress(
                    Lost, TimeoutError
                ):  # it has answered; an instance that is gone has unloaded
                    await self._unload(wanted, pool, container, wanted.target)
                await asyncio.to_thread(
                    shutil.rmtree, self._place(wanted, instance).parent, ignore_errors=True
                )

    async def _loaded(self, wanted: Wanted, instance: Instance, pool: Pool, container: _Container) -> _Model:
        model = container.models.get(wanted.target)
        self._note(wanted, "ModelCacheHit", float(model is not None and model.loading.done()))
        if model is None:
            loading = asyncio.create_task(self._load(wanted, instance, pool, container))
            model = container.models[wanted.target] = _Model(wanted.name, loading)
            loading.add_done_callback(lambda task: _forget_if_failed(container, wanted.target, task))
        container.models.move_to_end(wanted.target)
        if not model.loading.done():
            began = time.perf_counter()
            await asyncio.wait({model.loading}, timeout=wanted.seconds)
            self._note(wanted, "ModelLoadingWaitTime", (time.perf_counter() - began) * 1e6)
        if not model.loading.done():
            raise ServiceError("ModelNotReadyException", _NOT_READY.format(wanted.target), 429)
        model.loading.result()
        return model

    async def _load(self, wanted: Wanted, instance: Instance, pool: Pool, container: _Container) -> None:
        place = self._place(wanted, instance)
        began = time.perf_counter()
        async with self._fetching.setdefault(place, asyncio.Lock()):
            await asyncio.get_running_loop().run_in_executor(self._threads, self._fetch, wanted, place)
        fetched = time.perf_counter()
        self._note(wanted, "ModelDownloadingTime", (fetched - began) * 1e6)
        opt_ml = _opt_ml(instance)
        url = f"{self._plane.execution.base(opt_ml)}/{place.relative_to(opt_ml).as_posix()}"
        body = json.dumps({"model_name": wanted.name, "url": url}).encode()
        async with container.lock(wanted.target):
            while (reply := await _post(pool, body)).status == 507:
                idle = container.idle()
                if idle is None:
                    break
                await self._unload(wanted, pool, container, _target_of(container, idle))
        if reply.status not in (200, 409):
            raise NotLoaded(reply)
        self._note(wanted, "ModelLoadingTime", (time.perf_counter() - fetched) * 1e6)

    async def _unload(self, wanted: Wanted, pool: Pool, container: _Container, target: str) -> None:
        model = container.models.pop(target, None)
        if model is None:
            return
        began = time.perf_counter()
        lock = container.lock(target)
        async with lock:
            await pool.request("DELETE", f"/models/{model.name}", {}, b"", _LOADING_SECONDS)
        self._note(wanted, "ModelUnloadingTime", (time.perf_counter() - began) * 1e6)

    def _fetch(self, wanted: Wanted, place: Path) -> None:
        """In a thread."""
        bucket, key = object_of(wanted.variant.model_data or "", wanted.target)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            artifacts.unpack(self._plane.client("s3"), f"s3://{bucket}/{key}", place)
        except artifacts.Missing as missing:
            raise ServiceError("ValidationError", _MISSING.format(bucket, key)) from missing
        except artifacts.Unusable as unusable:
            raise ServiceError("ValidationError", str(unusable)) from unusable

    def _place(self, wanted: Wanted, instance: Instance) -> Path:
        """Where the model's files are; models that are not kept have files of their own for each instance."""
        own = "" if wanted.variant.caches_models else f"-{instance.id}"
        return _opt_ml(instance) / "models" / f"{wanted.name}{own}" / "model"

    def _note(self, wanted: Wanted, metric: str, value: float) -> None:
        self._hosting.metrics.note(wanted.endpoint, wanted.variant.name, metric, value)


def object_of(prefix: str, target: str) -> tuple[str, str]:
    """Bucket and key of the model `target` below the prefix; raises ServiceError for a name that leads elsewhere."""
    parts = PurePosixPath(target).parts
    if target.startswith("/") or "\\" in target or ".." in parts or not parts or target.endswith("/"):
        raise ServiceError(
            "ValidationError",
            f"Target model {target} is not valid: it must be the path of an archive below {prefix}.",
        )
    bucket, key = split_s3(prefix)
    return bucket, f"{key.rstrip('/')}/{target}" if key.rstrip("/") else target


async def _post(pool: Pool, body: bytes) -> Reply:
    return await pool.post("/models", {"content-type": "application/json"}, body, _LOADING_SECONDS)


def _opt_ml(instance: Instance) -> Path:
    if instance.opt_ml is None:
        raise ServiceError("InternalFailure", f"Instance {instance.id} has no directory for models.", 500)
    return instance.opt_ml


def _target_of(container: _Container, model: _Model) -> str:
    return next(target for target, one in container.models.items() if one is model)


def _forget_if_failed(container: _Container, target: str, task: asyncio.Task[None]) -> None:
    """A model that could not be loaded is tried again by the next request."""
    if task.cancelled() or task.exception() is not None:
        model = container.models.get(target)
        if model is not None and model.loading is task:
            del container.models[target]
