"""SDK v3: let the SDK make its least-privilege role for training, and check it."""

from sagemaker.core.helper import IamRoleResolver
from sagemaker.core.helper.iam_role_resolver import RoleValidationError, resolve_and_validate_role

role = IamRoleResolver().create_execution_role(role_type="training")
assert resolve_and_validate_role(role, "training") == role
try:
    resolve_and_validate_role("arn:aws:iam::000000000000:role/nobody", "training")
except RoleValidationError as refused:
    assert "nobody" in str(refused)
else:
    raise AssertionError("a role that does not exist was taken")
