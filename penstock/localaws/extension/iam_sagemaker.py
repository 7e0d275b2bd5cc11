"""A SageMaker execution role passes the checks that clients make: AWS's managed policy for it is there.

Touches `ministack.services.iam._seed_aws_managed_policies`, the table of AWS's managed policies, which lacks
AmazonSageMakerFullAccess: a role with it attached could do nothing, and SDK v3 refuses to train with such a role
(GetRole, SimulatePrincipalPolicy). And `iam._IAM_HANDLERS["SimulatePrincipalPolicy"]`: MiniStack does not find a role
that has a path (`role/service-role/...`, as the console makes it), and says of one that does not exist that it may do
nothing, where AWS answers NoSuchEntity. Checked on MiniStack 1.5.33.

The policy is AWS's as far as it speaks of services that are here, without its conditions on tags and names of buckets
and secrets: permissions are not enforced here, only simulated.
"""

import json
from typing import Any

from ministack.services import iam

from penstock.localaws.extension import pin

Params = dict[str, Any]
NAME = "AmazonSageMakerFullAccess"
_DESCRIPTION = (
    "Provides full access to Amazon SageMaker via the AWS Management Console and SDK. Also provides select access to "
    "related services (e.g., S3, ECR, CloudWatch Logs)."
)
_SOURCE = "PolicySourceArn"
_ACTIONS = {
    "application-autoscaling": "DeleteScalingPolicy DeleteScheduledAction DeregisterScalableTarget "
    "DescribeScalableTargets DescribeScalingActivities DescribeScalingPolicies DescribeScheduledActions "
    "PutScalingPolicy PutScheduledAction RegisterScalableTarget",
    "cloudformation": "GetTemplateSummary",
    "cloudwatch": "DeleteAlarms DescribeAlarms GetMetricData GetMetricStatistics ListMetrics PutMetricAlarm "
    "PutMetricData",
    "ec2": "CreateNetworkInterface CreateNetworkInterfacePermission CreateVpcEndpoint DeleteNetworkInterface "
    "DeleteNetworkInterfacePermission DescribeDhcpOptions DescribeNetworkInterfaces DescribeRouteTables "
    "DescribeSecurityGroups DescribeSubnets DescribeVpcEndpoints DescribeVpcs",
    "ecr": "BatchCheckLayerAvailability BatchGetImage CreateRepository Describe* GetAuthorizationToken "
    "GetDownloadUrlForLayer StartImageScan",
    "elasticfilesystem": "DescribeFileSystems DescribeMountTargets",
    "glue": "CreateJob DeleteJob GetJob* GetTable* GetWorkflowRun ResetJobBookmark StartJobRun StartWorkflowRun "
    "UpdateJob",
    "iam": "ListRoles",
    "kms": "DescribeKey ListAliases",
    "lambda": "ListFunctions",
    "logs": "CreateLogDelivery CreateLogGroup CreateLogStream DeleteLogDelivery Describe* GetLogDelivery "
    "GetLogEvents ListLogDeliveries PutLogEvents PutResourcePolicy UpdateLogDelivery",
    "s3": "GetBucketLocation ListBucket ListAllMyBuckets",
    "secretsmanager": "ListSecrets",
    "sns": "ListTopics",
    "tag": "GetResources",
}
_OBJECTS = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
_BUCKETS = [f"arn:aws:s3:::*{word}*" for word in ("SageMaker", "Sagemaker", "sagemaker", "aws-glue")]


def install() -> None:
    """Add the policy, now and after a reset; look at the principal of a simulation."""
    pin.require(__name__)
    seed, simulate = iam._seed_aws_managed_policies, iam._simulate_principal_policy

    def seed_aws_managed_policies() -> None:
        seed()
        record = iam._make_aws_managed_record(NAME, json.dumps(document()), _DESCRIPTION)
        iam._aws_managed_policies[record["Arn"]] = record

    def simulate_principal_policy(params: Params) -> Any:
        before, is_role, name = iam._p(params, _SOURCE).rpartition(":role/")
        name = name.rpartition("/")[2]
        if is_role and name not in iam._roles:
            return iam._error(404, "NoSuchEntity", f"The role with name {name} cannot be found.", ns="iam")
        return simulate({**params, _SOURCE: [f"{before}:role/{name}"]} if is_role else params)

    iam._seed_aws_managed_policies = seed_aws_managed_policies
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulate_principal_policy
    seed_aws_managed_policies()


def document() -> dict[str, Any]:
    """The policy."""
    services = [f"{service}:{action}" for service, actions in _ACTIONS.items() for action in actions.split()]
    pass_role = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"},
            {"Effect": "Allow", "Action": services, "Resource": "*"},
            {"Effect": "Allow", "Action": _OBJECTS, "Resource": _BUCKETS},
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": pass_role},
        ],
    }
