"""Script mode beyond one file: packages, commands, variables in place of hyperparameters, intermediate output."""

import json
from typing import Any

import pytest

from tests.local import job_requests as make
from tests.local.conftest import EmbeddedAws

ENVIRONMENT = """
import json, os
json.dump(dict(os.environ), open(os.environ["SM_MODEL_DIR"] + "/environment", "w"))
"""
# What sagemaker-training 5.1.4 sets for one host, without channels and hyperparameters.
VARIABLES = """
SM_HOSTS SM_NETWORK_INTERFACE_NAME SM_HPS SM_USER_ENTRY_POINT SM_FRAMEWORK_PARAMS SM_RESOURCE_CONFIG
SM_INPUT_DATA_CONFIG SM_OUTPUT_DATA_DIR SM_CHANNELS SM_CURRENT_HOST SM_CURRENT_INSTANCE_TYPE
SM_CURRENT_INSTANCE_GROUP SM_CURRENT_INSTANCE_GROUP_HOSTS SM_INSTANCE_GROUPS SM_INSTANCE_GROUPS_DICT
SM_DISTRIBUTION_INSTANCE_GROUPS SM_IS_HETERO SM_MODULE_NAME SM_LOG_LEVEL SM_FRAMEWORK_MODULE SM_INPUT_DIR
SM_INPUT_CONFIG_DIR SM_OUTPUT_DIR SM_NUM_CPUS SM_NUM_GPUS SM_NUM_NEURONS SM_MODEL_DIR SM_MODULE_DIR SM_TRAINING_ENV
SM_USER_ARGS SM_OUTPUT_INTERMEDIATE_DIR
"""


def model_of(aws: EmbeddedAws, bucket: str, request: dict[str, Any]) -> dict[str, str]:
    described = make.trained(aws, request)
    assert described["TrainingJobStatus"] == "Completed", described
    return make.tar_content(aws, bucket, f"models/{request['TrainingJobName']}/output/model.tar.gz")


def with_source(
    aws: EmbeddedAws, bucket: str, program: str, files: dict[str, str], **hyperparameters: str
) -> dict[str, Any]:
    name = make.new_name()
    make.put(aws, bucket, f"code/{name}.tar.gz", make.archive(files))
    given = {
        "sagemaker_program": program,
        "sagemaker_submit_directory": f"s3://{bucket}/code/{name}.tar.gz",
        **hyperparameters,
    }
    return make.training(bucket, name, HyperParameters=given)


def test_a_script_gets_the_toolkits_variables(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    hyperparameters = {"lr-list": "[1, 2]", "sagemaker_mine": "1"}
    request = make.script_training(embedded_aws, bucket, name, ENVIRONMENT, HyperParameters=hyperparameters)
    environment = json.loads(model_of(embedded_aws, bucket, request)["environment"])
    named = {variable for variable in environment if variable.startswith("SM_")}
    assert named == {*VARIABLES.split(), "SM_HP_LR-LIST"}
    assert environment["SM_HP_LR-LIST"] == "[1,2]"
    assert environment["SM_FRAMEWORK_PARAMS"] == '{"sagemaker_mine":1}'
    whole = json.loads(environment["SM_TRAINING_ENV"])
    assert (whole["is_master"], whole["job_name"], whole["hyperparameters"]) == (
        True,
        name,
        {"lr-list": [1, 2]},
    )


def test_a_program_may_be_named_by_a_variable(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    request = make.script_training(embedded_aws, bucket, name, ENVIRONMENT)
    given = request.pop("HyperParameters")
    request["Environment"] = {
        "SAGEMAKER_PROGRAM": "train.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": json.loads(given["sagemaker_submit_directory"]),
    }
    environment = json.loads(model_of(embedded_aws, bucket, request)["environment"])
    assert environment["SM_USER_ENTRY_POINT"] == "train.py"


def test_a_program_may_be_a_shell_script(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    files = {"go.sh": '#!/bin/sh\nprintf "%s|" "$@" > "$SM_MODEL_DIR/arguments"\n'}
    request = with_source(embedded_aws, bucket, "go.sh", files, words="a b", n="1")
    assert model_of(embedded_aws, bucket, request) == {"arguments": "-n|1|--words|a b|"}


@pytest.mark.slow
def test_a_source_with_setup_py_is_a_package(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    files = {
        "setup.py": "from setuptools import setup\nsetup(name='mine', version='1', package_dir={'': 'src'}, "
        "packages=['helper'])\n",
        "src/helper/__init__.py": "WORD = 'installed'\n",
        "train.py": "import os, helper\nopen(os.environ['SM_MODEL_DIR'] + '/word', 'w').write(helper.WORD)\n",
    }
    request = with_source(embedded_aws, bucket, "train.py", files)
    assert model_of(embedded_aws, bucket, request) == {"word": "installed"}


def test_what_cannot_be_distributed_is_refused(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    request = with_source(embedded_aws, bucket, "train.py", {"train.py": ""}, sagemaker_mpi_enabled="true")
    assert make.trained(embedded_aws, request)["FailureReason"] == (
        "ClientError: the embedded AWS does not start scripts as sagemaker_mpi_enabled asks; use torch_distributed., "
        "exit code: 1"
    )


def test_intermediate_output_is_stored_where_the_script_wants_it(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    source = "import os\nopen(os.environ['SM_OUTPUT_INTERMEDIATE_DIR'] + '/a', 'w').write('halfway')\n"
    files = {"train.py": source}
    request = with_source(embedded_aws, bucket, "train.py", files, sagemaker_s3_output=f"s3://{bucket}/o")
    model_of(embedded_aws, bucket, request)
    key = f"o/{request['TrainingJobName']}/output/intermediate/a"
    assert embedded_aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"halfway"
