"""Runs inside a training job in place of `sagemaker-training`: a person's script with SM_* and `--key value`.

Standard library only; started by path with the job's Python. The platform has unpacked the source into /opt/ml/code.
Follows sagemaker-training 5: hyperparameters JSON-decoded, sorted arguments, the same environment, and the same text
in /opt/ml/output/failure when the script leaves none. A source with a setup.py is installed and run as a module, a name
that does not end in .py is a command, `torch_distributed` starts through torchrun; MPI and the like are refused.
"""

import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")
CODE, CONFIG, OUTPUT = BASE / "code", BASE / "input/config", BASE / "output"
PACKAGES = BASE / "code-packages"
_ERROR_TEXT = 700  # FailureReason has 1,024 characters, and the command is to fit as well
_MASTER_PORT = "7777"
# What the toolkit keeps for itself; other names that begin with `sagemaker_` are parameters of the framework.
_OWN = frozenset(
    f"sagemaker_{name}"
    for name in (
        "program",
        "submit_directory",
        "enable_cloudwatch_metrics",
        "region",
        "container_log_level",
        "job_name",
        "s3_output",
    )
)
_TORCHRUN = ("sagemaker_torch_distributed_enabled", "sagemaker_pytorch_ddp_enabled")
_REFUSED = (
    "sagemaker_mpi_enabled",
    "sagemaker_parameter_server_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
)


def decoded(value: str) -> Any:
    """A hyperparameter's value: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def arguments(hyperparameters: dict[str, Any]) -> list[str]:
    """`--key value` (`-k value` for one letter), sorted by key; maps as `a=1,b=2`, others as Python prints them."""
    given: list[str] = []
    for key in sorted(hyperparameters):
        value = hyperparameters[key]
        if isinstance(value, dict):
            text = ",".join(f"{name}={item}" for name, item in sorted(value.items()))
        else:
            text = "" if value is None else str(value)
        given += [f"--{key}" if len(key) > 1 else f"-{key}", text]
    return given


def as_text(value: Any) -> str:
    """A value as an environment variable has it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def environment(program: str, given: dict[str, Any], user: dict[str, Any]) -> dict[str, str]:
    """Every SM_* variable of the training environment, and PYTHONPATH; `given` is what begins with `sagemaker_`."""
    resources, channels = _config("resourceconfig.json"), _config("inputdataconfig.json")
    framework = {name: value for name, value in given.items() if name not in _OWN}
    inputs = {name: str(BASE / "input/data" / name) for name in channels}
    facts = {
        **cluster(resources, framework),
        "hosts": resources["hosts"],
        "current_host": resources["current_host"],
        "current_instance_type": resources["current_instance_type"],
        "current_instance_group": resources["current_group_name"],
        "network_interface_name": resources["network_interface_name"],
        "user_entry_point": program,
        "resource_config": resources,
        "input_data_config": channels,
        "output_data_dir": str(OUTPUT / "data"),
        "module_name": program.removesuffix(".py"),
        "log_level": int(given.get("sagemaker_container_log_level", 20)),
        "framework_module": os.environ.get("SAGEMAKER_TRAINING_MODULE") or None,
        "input_dir": str(BASE / "input"),
        "input_config_dir": str(CONFIG),
        "output_dir": str(OUTPUT),
        "output_intermediate_dir": str(OUTPUT / "intermediate"),
        "num_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "num_gpus": 0,
        "num_neurons": 0,
        "model_dir": str(BASE / "model"),
        "module_dir": str(given.get("sagemaker_submit_directory", CODE)),
    }
    whole = {
        **facts,
        "additional_framework_parameters": framework,
        "channel_input_dirs": inputs,
        "hyperparameters": user,
        "job_name": os.environ.get("TRAINING_JOB_NAME", ""),
        "topology": resources.get("topology", []),
        "is_modelparallel_enabled": None,
        "is_smddprun_installed": False,
        "is_smddpmprun_installed": False,
        **leader(facts),
    }
    listed = {
        "channels": sorted(channels),
        "hps": user,
        "framework_params": framework,
        "user_args": arguments(user),
    }
    names = {f"SM_{name.upper()}": as_text(value) for name, value in {**facts, **listed}.items()}
    names |= {f"SM_CHANNEL_{name.upper()}": path for name, path in inputs.items()}
    names |= {f"SM_HP_{name.upper()}": as_text(value) for name, value in user.items()}
    names["SM_TRAINING_ENV"] = as_text(whole)
    path = [str(_source(given)), os.environ.get("PYTHONPATH", "")]
    return names | {"PYTHONPATH": os.pathsep.join(part for part in path if part)}


def cluster(resources: dict[str, Any], framework: dict[str, Any]) -> dict[str, Any]:
    """What a script is told of instance groups."""
    groups = {group["instance_group_name"]: group for group in resources["instance_groups"]}
    current = resources["current_group_name"]
    spread = [current] if any(framework.get(name) for name in (*_TORCHRUN, *_REFUSED)) else []
    return {
        "current_instance_group_hosts": groups[current]["hosts"],
        "instance_groups": list(groups),
        "instance_groups_dict": groups,
        "distribution_instance_groups": framework.get("sagemaker_distribution_instance_groups", spread),
        "is_hetero": len(groups) > 1,
    }


def leader(facts: dict[str, Any]) -> dict[str, Any]:
    """Which host leads, and whether it is this one: the first of those the work is distributed on."""
    wanted = facts["distribution_instance_groups"]
    groups = facts["instance_groups_dict"]
    spread = [host for name in groups if name in wanted for host in groups[name]["hosts"]]
    first = (spread or facts["hosts"])[0]
    return {
        "distribution_hosts": spread,
        "master_hostname": first,
        "is_master": facts["current_host"] == first,
    }


def _config(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CONFIG / name).read_text())
    document.pop("_tuning_objective_metric", None)  # what a tuning tells the image, which keeps it for itself
    return document


def _source(framework: dict[str, Any]) -> Path:
    """Where the script is: a local directory when one was given, else where the platform unpacked the archive."""
    given = str(framework.get("sagemaker_submit_directory", ""))
    return Path(given) if given.startswith("/") and Path(given).is_dir() else CODE


def missing_requirements(path: Path) -> bool:
    """Whether something in a requirements.txt is not there; lines it cannot judge count as missing."""
    from importlib import metadata  # noqa: PLC0415  20 ms, and most jobs have no requirements

    from pip._vendor.packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    for line in path.read_text().splitlines():
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        try:
            wanted = Requirement(text)
            if (wanted.marker is None or wanted.marker.evaluate()) and not wanted.specifier.contains(
                metadata.version(wanted.name), prereleases=True
            ):
                return True
        except (InvalidRequirement, metadata.PackageNotFoundError):
            return True
    return False


def install(source: Path, requirements: str) -> list[str]:
    """Install what is missing into the job's own directory, the person's environment stays as it is; PYTHONPATH's part.

    A package (a source with setup.py) is installed itself.
    """
    wanted: list[str] = []
    if (source / "setup.py").exists():
        wanted.append(".")
    if (source / requirements).exists() and missing_requirements(source / requirements):
        wanted += ["-r", requirements]
    if not wanted:
        return []
    pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    if wanted[0] == "." and importlib.util.find_spec("setuptools") is not None:
        pip.append("--no-build-isolation")  # builds without a network too
    command = [*pip, "--target", str(PACKAGES), *wanted]
    code = subprocess.call(command, cwd=source)
    if code != 0:
        kind = "InstallModuleError" if wanted == ["."] else "InstallRequirementsError"
        fail(kind, code, f"pip could not install {' '.join(wanted)} in {source}", command)
    return [str(PACKAGES)]


def command_of(program: str, source: Path, given: dict[str, Any], args: list[str]) -> list[str]:
    """How the program is started: torchrun, a module of a package, a script, or a command."""
    if any(given.get(name) for name in _TORCHRUN):
        return [
            sys.executable,
            "-m",
            "torch.distributed.run",
            *torchrun(_config("resourceconfig.json")),
            program,
            *args,
        ]
    if program.endswith(".py"):
        package = (source / "setup.py").exists()
        return [sys.executable, *(["-m", program.removesuffix(".py")] if package else ["--", program]), *args]
    (source / program).chmod(0o755)
    return ["/bin/sh", "-c", f"./{shlex.join([program, *args])}"]


def torchrun(resources: dict[str, Any]) -> list[str]:
    """torchrun's options: one process a host, and among several hosts where they meet."""
    hosts = resources["hosts"]
    options = ["--nnodes", str(len(hosts)), "--nproc_per_node", "1"]
    if len(hosts) > 1:
        options += ["--master_addr", hosts[0], "--master_port", _MASTER_PORT]
        options += ["--node_rank", str(hosts.index(resources["current_host"]))]
    return options


def run(command: list[str], cwd: Path, env: dict[str, str]) -> tuple[int, str]:
    """Run the script; its exit code (-N for signal N) and the end of what it wrote to standard error.

    SIGTERM is passed on.
    """
    child = subprocess.Popen(command, cwd=cwd, env=env, stderr=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
    last: deque[bytes] = deque(maxlen=100)
    reader = threading.Thread(target=_pass_on, args=(child, last))
    reader.start()
    code = child.wait()
    reader.join(timeout=2)
    text = b"".join(last).decode("utf-8", "replace")
    return code, text


def _pass_on(child: "subprocess.Popen[bytes]", last: "deque[bytes]") -> None:
    assert child.stderr is not None  # noqa: S101
    for line in child.stderr:
        last.append(line)
        os.write(2, line)


def error_message(stderr: str) -> str:
    """The part of standard error that says what went wrong: the last traceback, its end first of all."""
    start = stderr.rfind("Traceback (most recent call last)")
    text = stderr[start:] if start >= 0 else "\n".join(stderr.strip().splitlines()[-5:])
    text = text.strip()
    return text if len(text) <= _ERROR_TEXT else "…" + text[-_ERROR_TEXT:]


def fail(kind: str, code: int, message: str, command: list[str]) -> None:
    """Say why in /opt/ml/output/failure, unless the script has, and end with 1 as the toolkit does."""
    failure = OUTPUT / "failure"
    if not failure.exists():
        shown = " ".join(command)
        failure.write_text(f'{kind}:\nExitCode {code}\nErrorMessage "{message}"\nCommand "{shown}"')
    sys.exit(1)


def settings(values: dict[str, Any]) -> dict[str, Any]:
    """What begins with `sagemaker_`: of the variables SAGEMAKER_PROGRAM and the like, then of the hyperparameters."""
    named = ("sagemaker_program", "sagemaker_submit_directory", "sagemaker_requirements")
    found = {name: os.environ.get(name.upper()) or os.environ.get(name) for name in named}
    return {name: decoded(value) for name, value in found.items() if value} | {
        name: value for name, value in values.items() if name.startswith("sagemaker_")
    }


def main() -> None:
    """Run the job's script as the framework images do."""
    values = {name: decoded(value) for name, value in _config("hyperparameters.json").items()}
    given = settings(values)
    user = {name: value for name, value in values.items() if not name.startswith("sagemaker_")}
    program, source = str(given["sagemaker_program"]), _source(given)
    refused = [name for name in _REFUSED if given.get(name)]
    if refused:
        (OUTPUT / "failure").write_text(
            f"ClientError: the embedded AWS does not start scripts as {refused[0]} asks; use torch_distributed."
        )
        sys.exit(1)
    if not (source / program).is_file():
        missing = f"{program} is not in {source}: {sorted(os.listdir(source))}"
        fail("ExecuteUserScriptError", 1, missing, [program])
    env = {**os.environ, **environment(program, given, user)}
    env["CURRENT_HOST"] = env["SM_CURRENT_HOST"]
    extra = install(source, str(given.get("sagemaker_requirements", "requirements.txt")))
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], *extra])
    command = command_of(program, source, given, arguments(user))
    print(f"Invoking script with the following command:\n\n{' '.join(command)}\n", flush=True)  # noqa: T201
    code, stderr = run(command, source, env)
    if code != 0:
        fail("ExecuteUserScriptError", code, error_message(stderr), command)


if __name__ == "__main__":
    main()
