"""Build LocalStack 4.14.0 with S3, STS and IAM, with the contract of `localstack/localstack:4.14.0`.

It installs LocalStack's Python package (`localstack-core`, Apache-2.0) by hash on the Python image. 4.14.0 is the last
version whose image starts without an auth token (https://github.com/localstack/localstack, archived in March 2026);
newer images exit with 55. The package does not check a token.

Included: port 4566 and `/_localstack/health`, `GATEWAY_LISTEN`, `SERVICES`, the prefix `LOCALSTACK_`, the init scripts
(`*.sh` and `*.py` in `/etc/localstack/init/{boot,start,ready,shutdown}.d`, at each start), `/var/lib/localstack`, `aws`
and `awslocal`, user root, exit code 0 after SIGTERM. It also runs as any other user.

Not included: every other AWS service (`SERVICES` defaults to `s3,sts,iam`; removing botocore's other service
descriptions saves 10 s and 340 MB of memory on the first S3 request), curl, Node and Java, the supervisor (SIGUSR1 does
not restart it), the name server on port 53.
"""

from foundry.recipe import Build

_INSTALL = """
mkdir -p /opt/code/localstack /etc/localstack/init /var/lib/localstack /usr/lib/localstack /tmp/localstack
for stage in boot start ready shutdown; do mkdir -p /etc/localstack/init/$stage.d; done
cd /opt/code/localstack
uv venv --quiet --no-cache .venv
uv pip install --quiet --no-cache --python .venv --no-build --require-hashes --requirement /tmp/requirements.txt
cd .venv/lib/python3.*/site-packages
# Remove descriptions of 400 unused AWS services, and the AWS client's manual. The client needs some descriptions that
# it modifies (KeyError in awscli/customizations).
keep="s3 s3control sts iam codedeploy config sagemaker-runtime sdb sms-voice"
mv botocore/data botocore/all && mkdir botocore/data && cp botocore/all/*.json botocore/data/
for name in $keep; do mv botocore/all/$name botocore/data/; done
rm -r botocore/all
rm -r awscli/examples
"""

_FINISH = """
ln -s /opt/code/localstack/.venv/bin/aws /usr/local/bin/aws
# Compile and test aws and awslocal.
AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b aws s3 presign s3://bucket/key --region us-east-1 >/dev/null
rm -rf /tmp/* /var/lib/localstack ~/.aws ~/.cache
mkdir -p /var/lib/localstack /tmp/localstack
# Any user may run it.
chmod 777 /opt/code/localstack /var/lib/localstack /tmp/localstack
chmod -R a+rwX /opt/code/localstack/.cache
"""


def build(b: Build) -> None:
    with b.container(b.ref("python")) as c:
        c.copy(b.assets / "requirements.txt", "/tmp/requirements.txt")  # noqa: S108 - in the container
        c.exec(["sh", "-ec", _INSTALL], env=b.network_environment)
        c.copy(b.assets / "warm_up.py", "/tmp/warm_up.py")  # noqa: S108
        c.exec(["/opt/code/localstack/.venv/bin/python", "/tmp/warm_up.py"])  # noqa: S108
        c.sh(_FINISH)
        c.copy(b.assets / "index_plugins.py", "/tmp/index_plugins.py")  # noqa: S108
        c.exec(["/opt/code/localstack/.venv/bin/python", "-B", "/tmp/index_plugins.py"])  # noqa: S108
        c.sh("rm /tmp/index_plugins.py")
        installed = b.docker("commit", c.id).strip()
    b.image_build(b.assets, args={"INSTALLED": installed})
