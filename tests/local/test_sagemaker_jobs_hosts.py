"""Jobs of several instances: names, shards, sockets between hosts, one end for all."""

import json
import sys
from typing import Any

import pytest

from penstock.localaws.execution.execution import probe
from tests.local import job_requests as make
from tests.local.conftest import EmbeddedAws, until

JAILED = pytest.mark.skipif(probe(sys.executable) == "plain", reason="this machine allows no namespaces")
SEES = """
import json, os, socket
host = os.environ["SM_CURRENT_HOST"]
seen = {
    "resources": json.load(open("/opt/ml/input/config/resourceconfig.json")),
    "shard": sorted(os.listdir(os.environ["SM_CHANNEL_SHARD"])),
    "all": sorted(os.listdir(os.environ["SM_CHANNEL_ALL"])),
    "hosts": os.environ["SM_HOSTS"],
}
print(f"hello from {host}: auc={host[-1]};")
json.dump(seen, open(f"{os.environ['SM_MODEL_DIR']}/{host}.json", "w"))
open(os.environ["SM_MODEL_DIR"] + "/same", "w").write(host)
open(os.environ["SM_OUTPUT_DATA_DIR"] + "/" + host, "w").write("out")
"""


def several(request: dict[str, Any], count: int) -> dict[str, Any]:
    request["ResourceConfig"]["InstanceCount"] = count
    return request


@pytest.fixture(scope="module")
def job(embedded_aws: EmbeddedAws) -> dict[str, Any]:
    """A completed script-mode job of three hosts, with what each of them saw."""
    bucket = make.new_bucket(embedded_aws, **{f"data__{n}_csv": str(n) for n in range(5)})
    uri = f"s3://{bucket}/data/"
    shard = make.channel("shard", uri, S3DataDistributionType="ShardedByS3Key")
    name = make.new_name()
    request = make.script_training(
        embedded_aws, bucket, name, SEES, InputDataConfig=[shard, make.channel("all", uri)]
    )
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "auc", "Regex": "auc=([0-9.]+);"}]
    described = make.trained(embedded_aws, several(request, 3))
    assert described["TrainingJobStatus"] == "Completed", described
    files = make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz")
    output = make.tar_content(embedded_aws, bucket, f"models/{name}/output/output.tar.gz")
    seen = {key[:-5]: json.loads(text) for key, text in files.items() if key.endswith(".json")}
    return {**described, "files": files, "output": output, "seen": seen}


def test_each_host_knows_itself_and_the_others(job: dict[str, Any]) -> None:
    hosts = ["algo-1", "algo-2", "algo-3"]
    assert sorted(job["seen"]) == hosts
    for name, seen in job["seen"].items():
        resources = seen["resources"]
        assert (resources["current_host"], resources["hosts"]) == (name, hosts)
        assert json.loads(seen["hosts"]) == hosts
        assert resources["instance_groups"] == [
            {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": hosts}
        ]


def test_shards_are_the_whole_and_replicas_are_alike(job: dict[str, Any]) -> None:
    every = [f"{n}.csv" for n in range(5)]
    shards = [seen["shard"] for seen in job["seen"].values()]
    assert sorted(name for shard in shards for name in shard) == every
    assert sorted(len(shard) for shard in shards) == [1, 2, 2]
    assert all(seen["all"] == every for seen in job["seen"].values())


def test_artefacts_of_all_hosts_are_one_archive(job: dict[str, Any]) -> None:
    assert job["files"]["same"] == "algo-1"
    assert job["output"] == {"algo-1": "out", "algo-2": "out", "algo-3": "out"}


def test_every_host_has_its_log_stream_and_reports_metrics(
    embedded_aws: EmbeddedAws, job: dict[str, Any]
) -> None:
    name = job["TrainingJobName"]
    found = embedded_aws.client("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/"
    )["logStreams"]
    streams = sorted(one["logStreamName"].rpartition("-")[0] for one in found)
    assert streams == [f"{name}/algo-{n}" for n in (1, 2, 3)]
    assert all(one["logStreamName"].rpartition("-")[2].isdigit() for one in found)
    (metric,) = job["FinalMetricDataList"]
    assert metric["Value"] in (1.0, 2.0, 3.0)


TALKS = """
import os, socket, time
hosts, me = ["algo-1", "algo-2"], os.environ["SM_CURRENT_HOST"]
other = hosts[1 - hosts.index(me)]
server = socket.create_server((me, 7777))  # the same port on both: each has an address of its own
while True:
    try:
        client = socket.create_connection((other, 7777), timeout=20)
        break
    except ConnectionRefusedError:
        time.sleep(0.02)
accepted, _ = server.accept()
client.sendall(f"hello {other}, this is {socket.gethostname()}".encode())
client.shutdown(socket.SHUT_WR)
text = b""
while chunk := accepted.recv(100):
    text += chunk
open(f"{os.environ['SM_MODEL_DIR']}/{me}", "wb").write(text)
"""


@JAILED
def test_hosts_talk_to_each_other_by_name(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    described = make.trained(
        embedded_aws, several(make.script_training(embedded_aws, bucket, name, TALKS), 2)
    )
    assert described["TrainingJobStatus"] == "Completed", described
    assert make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz") == {
        "algo-1": "hello algo-1, this is algo-2",
        "algo-2": "hello algo-2, this is algo-1",
    }


FAILS = """
import os, sys, time
if os.environ["SM_CURRENT_HOST"] == "algo-2":
    open("/opt/ml/output/failure", "w").write("the second host cannot")
    sys.exit(3)
while True:
    time.sleep(0.05)
"""


def test_the_first_host_that_fails_ends_the_job(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    request = several(make.script_training(embedded_aws, bucket, name, FAILS), 3)
    described = make.trained(embedded_aws, request)
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"] == "AlgorithmError: the second host cannot, exit code: 1"


SAVES = """
import os, signal, sys, time
def end(*_):
    open(os.environ["SM_MODEL_DIR"] + "/" + os.environ["SM_CURRENT_HOST"], "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


def test_a_stop_reaches_every_host(embedded_aws: EmbeddedAws) -> None:
    client, bucket, name = embedded_aws.client("sagemaker"), make.new_bucket(embedded_aws), make.new_name()
    client.create_training_job(**several(make.script_training(embedded_aws, bucket, name, SAVES), 2))

    def both_are_ready() -> bool:
        try:
            return make.lines(embedded_aws, name).count("ready") == 2
        except embedded_aws.client("logs").exceptions.ResourceNotFoundException:
            return False

    until(both_are_ready)
    client.stop_training_job(TrainingJobName=name)
    assert make.training_over(embedded_aws, name)["TrainingJobStatus"] == "Stopped"
    assert make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz") == {
        "algo-1": "saved",
        "algo-2": "saved",
    }


def test_a_channel_may_be_for_one_group_of_instances(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws, data__a_csv="1"), make.new_name()
    script = (
        'D="${SAGEMAKER_BASE_DIR:-/opt/ml}"; H=$(sed "s/.*current_host\\": \\"\\([^\\"]*\\).*/\\1/" '
        '"$D/input/config/resourceconfig.json"); ls "$D/input/data" > "$D/model/$H"; '
        'cp "$D/input/config/resourceconfig.json" "$D/model/$H.json"'
    )
    channel = make.channel("train", f"s3://{bucket}/data/")
    channel["DataSource"]["S3DataSource"]["InstanceGroupNames"] = ["big"]
    groups = [
        {"InstanceGroupName": "big", "InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
        {"InstanceGroupName": "small", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    ]
    request = make.shell_training(
        bucket,
        name,
        script,
        InputDataConfig=[channel],
        ResourceConfig={"InstanceGroups": groups, "VolumeSizeInGB": 5},
    )
    described = make.trained(embedded_aws, request)
    assert described["TrainingJobStatus"] == "Completed", described
    files = make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz")
    assert (files["algo-1"], files["algo-2"]) == ("train\n", "")
    second = json.loads(files["algo-2.json"])
    assert (second["current_group_name"], second["current_instance_type"]) == ("small", "ml.m5.large")


def test_a_processing_job_of_two_hosts_shares_its_input(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws, in__a_csv="1", in__b_csv="2"), make.new_name()
    one = make.processing_input("data", f"s3://{bucket}/in/", "/opt/ml/processing/input/data")
    one["S3Input"]["S3DataDistributionType"] = "ShardedByS3Key"
    script = 'D="${SAGEMAKER_BASE_DIR:-/opt/ml}"; cp "$D"/processing/input/data/* "$D/processing/output"'
    request = make.processing(embedded_aws, bucket, name, script, one)
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    described = make.processed(embedded_aws, request)
    assert described["ProcessingJobStatus"] == "Completed", described
    found = embedded_aws.client("s3").list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]
    assert sorted(one["Key"] for one in found) == ["out/a.csv", "out/b.csv"]


TRAINS = """
import os, socket, sys, time
import numpy as np, xgboost as xgb
from xgboost import collective
from xgboost.tracker import RabitTracker
me = os.environ["SM_CURRENT_HOST"]
if me == "algo-1":
    tracker = RabitTracker(host_ip=socket.gethostbyname("algo-1"), n_workers=2, port=9099, sortby="task")
    tracker.start()
while True:
    try:
        socket.create_connection(("algo-1", 9099)).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
with collective.CommunicatorContext(
    dmlc_communicator="rabit", dmlc_tracker_uri=socket.gethostbyname("algo-1"), dmlc_tracker_port=9099
):
    total = collective.allreduce(np.array([int(me[-1])]), collective.Op.SUM)
    open(f"{os.environ['SM_MODEL_DIR']}/{me}", "w").write(f"{collective.get_world_size()} {total[0]}")
"""


@JAILED
@pytest.mark.slow
def test_xgboost_trains_on_two_hosts_at_once(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    request = several(make.script_training(embedded_aws, bucket, name, TRAINS), 2)
    described = make.trained(embedded_aws, request)
    assert described["TrainingJobStatus"] == "Completed", described
    files = make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz")
    assert files == {"algo-1": "2 3", "algo-2": "2 3"}
