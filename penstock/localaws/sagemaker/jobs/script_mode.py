"""Runs inside a training job in place of `sagemaker-training`: a person's script with SM_* and `--key value`.

Standard library only; started by path with the job's Python. The platform has unpacked the source into /opt/ml/code.
Follows sagemaker-training 5: hyperparameters JSON-decoded, sorted arguments, the same environment, and the same text
in /opt/ml/output/failure when the script leaves none.
"""

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
_ERROR_TEXT = 700  # FailureReason has 1,024 characters, and the command is to fit as well


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


def environment(program: str, framework: dict[str, Any], user: dict[str, Any]) -> dict[str, str]:
    """Every SM_* variable of the training environment, and PYTHONPATH."""
    resources, channels = _config("resourceconfig.json"), _config("inputdataconfig.json")
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = {
        "hosts": resources["hosts"],
        "current_host": resources["current_host"],
        "current_instance_type": resources["current_instance_type"],
        "current_instance_group": resources["current_group_name"],
        "current_instance_group_hosts": resources["hosts"],
        "instance_groups": [group["instance_group_name"] for group in resources["instance_groups"]],
        "instance_groups_dict": {
            group["instance_group_name"]: group for group in resources["instance_groups"]
        },
        "distribution_instance_groups": [],
        "is_hetero": False,
        "network_interface_name": resources["network_interface_name"],
        "hps": user,
        "user_entry_point": program,
        "framework_params": framework,
        "resource_config": resources,
        "input_data_config": channels,
        "output_data_dir": str(OUTPUT / "data"),
        "channels": sorted(channels),
        "module_name": program.removesuffix(".py"),
        "log_level": int(framework.get("sagemaker_container_log_level", 20)),
        "framework_module": os.environ.get("SAGEMAKER_TRAINING_MODULE", ""),
        "input_dir": str(BASE / "input"),
        "input_config_dir": str(CONFIG),
        "output_dir": str(OUTPUT),
        "output_intermediate_dir": str(OUTPUT / "intermediate"),
        "num_cpus": cpus,
        "num_gpus": 0,
        "num_neurons": 0,
        "model_dir": str(BASE / "model"),
        "module_dir": framework.get("sagemaker_submit_directory", str(CODE)),
        "user_args": arguments(user),
    }
    names = {f"SM_{name.upper()}": as_text(value) for name, value in facts.items()}
    names |= {f"SM_CHANNEL_{name.upper()}": str(BASE / "input/data" / name) for name in channels}
    names |= {f"SM_HP_{name.upper()}": as_text(value) for name, value in user.items()}
    names["SM_TRAINING_ENV"] = as_text({**facts, "job_name": os.environ.get("TRAINING_JOB_NAME", "")})
    path = [str(_source(framework)), os.environ.get("PYTHONPATH", "")]
    return names | {"PYTHONPATH": os.pathsep.join(part for part in path if part)}


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


def install(path: Path) -> dict[str, str]:
    """Install what is missing, into the job's own directory: the person's environment stays as it is."""
    if not path.exists() or not missing_requirements(path):
        return {}
    target = BASE / "code-packages"
    pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    code = subprocess.call([*pip, "--target", str(target), "-r", str(path)])
    if code != 0:
        fail("InstallRequirementsError", code, f"pip could not install {path}", pip)
    return {"PYTHONPATH": str(target)}


def run(command: list[str], cwd: Path, env: dict[str, str]) -> tuple[int, str]:
    """Run the script; its exit code and the end of what it wrote to standard error. SIGTERM is passed on."""
    child = subprocess.Popen(command, cwd=cwd, env=env, stderr=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
    last: deque[bytes] = deque(maxlen=100)
    reader = threading.Thread(target=_pass_on, args=(child, last))
    reader.start()
    code = child.wait()
    reader.join(timeout=2)
    text = b"".join(last).decode("utf-8", "replace")
    return (code if code >= 0 else 128 - code), text


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
    """Say why in /opt/ml/output/failure, unless the script has, and end."""
    failure = OUTPUT / "failure"
    if not failure.exists():
        shown = " ".join(command)
        failure.write_text(f'{kind}:\nExitCode {code}\nErrorMessage "{message}"\nCommand "{shown}"')
    sys.exit(code)


def main() -> None:
    """Run the job's script as the framework images do."""
    values = {name: decoded(value) for name, value in _config("hyperparameters.json").items()}
    framework = {name: value for name, value in values.items() if name.startswith("sagemaker_")}
    user = {name: value for name, value in values.items() if name not in framework}
    program, source = str(framework["sagemaker_program"]), _source(framework)
    if not (source / program).is_file():
        fail(
            "ExecuteUserScriptError",
            1,
            f"{program} is not in {source}: {sorted(os.listdir(source))}",
            [program],
        )
    env = {**os.environ, **environment(program, framework, user)}
    extra = install(source / "requirements.txt")
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], *extra.values()])
    if program.endswith(".sh"):
        command = ["/bin/sh", "-c", f"./{shlex.join([program, *arguments(user)])}"]
        (source / program).chmod(0o755)
    else:
        command = [sys.executable, program, *arguments(user)]
    print(f"Invoking script with the following command:\n\n{shlex.join(command)}\n", flush=True)  # noqa: T201
    code, stderr = run(command, source, env)
    if code != 0:
        fail("ExecuteUserScriptError", code, error_message(stderr), command)


if __name__ == "__main__":
    main()
