"""Servers under measure: starting them, what they use, what they are asked. For the scripts beside this file."""
import glob, json, os, re, ssl, subprocess, sys, time, urllib.request

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
target = os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))
profile = os.environ.get("REGENT_PROFILE", "dist")
release = os.path.join(target, profile)
examples = os.path.join(release, "examples")
tick = os.sysconf("SC_CLK_TCK")
KINDS = ["small-pod", "four-containers", "deployment", "configmap"]


def build():
    """Builds what is measured, as it is shipped (`REGENT_PROFILE`: another profile); with BUILT in the environment what is
    there is taken."""
    if os.environ.get("BUILT"):
        return
    for what in (["regent", "--bin", "regent"], ["regent-webhook", "--example", "echo", "--example", "load"]):
        subprocess.run(["cargo", "build", "--profile", profile, "--locked", "-q", "-p", *what], cwd=root, check=True)


def serve(policies):
    """`regent serve` on free ports: its process and where reviews go."""
    args = ["serve", "-p", policies, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    return start([os.path.join(release, "regent"), *args], r"reviews: https://([^/]+)/", "stderr")


def end(children):
    for child in children:
        # A program that reads its input ends with it.
        child.stdin.close() if child.stdin else child.terminate()
        child.wait()


def cpu(pid):
    """CPU seconds that a process has used."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / tick


def resident(pid):
    """MiB."""
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1024


def start(args, wanted, stream):
    """Runs a server until it has said where it listens."""
    child = subprocess.Popen(args, text=True, **{stream: subprocess.PIPE}, stdin=subprocess.DEVNULL)
    for line in getattr(child, stream):
        found = re.search(wanted, line)
        if found:
            return child, found[1]
    sys.exit(f"{args}: ended with {child.wait()}")


def review(kind, number):
    """The number-th AdmissionReview of a kind; each differs in names, labels, images and texts."""
    name = f"{kind}-{number}"
    meta = {"name": name, "namespace": f"team-{number % 40}", "labels": {"app": name, "release": str(number * 7919)},
            "uid": f"00000000-0000-0000-0000-{number:012}"}
    good = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"}}

    def container(n, security):
        return {"name": f"c{n}", "image": f"registry.example.com/team/{name}-{n}:1.{number}", "command": ["/bin/run", name],
                "env": [{"name": f"VALUE_{i}", "value": f"{number}-{i}"} for i in range(8)],
                "ports": [{"containerPort": 8080 + n, "name": f"http{n}"}],
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10},
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}], "securityContext": security}

    four = {"serviceAccountName": name, "containers": [container(n, good) for n in range(4)],
            "volumes": [{"name": "tmp", "emptyDir": {}}], "securityContext": {"runAsNonRoot": True}}
    objects = {
        "small-pod": ("", "v1", "Pod", {"spec": {"containers": [
            {"name": "a", "image": f"a:{number}", "securityContext": {"privileged": True}}]}}),
        "four-containers": ("", "v1", "Pod", {"spec": four}),
        "deployment": ("apps", "v1", "Deployment", {"spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": four}}}),
        "configmap": ("", "v1", "ConfigMap", {"data": {f"key-{i}": f"value {number} {i}" for i in range(20)}}),
    }
    group, version, kind_, body = objects[kind]
    api = f"{group}/{version}" if group else version
    return json.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": f"10000000-0000-0000-0000-{number:012}", "kind": {"group": group, "version": version, "kind": kind_},
        "resource": {"group": group, "version": version, "resource": kind_.lower() + "s"}, "name": name,
        "namespace": meta["namespace"], "operation": "CREATE", "userInfo": {"username": "u", "groups": ["g"]},
        "object": {"apiVersion": api, "kind": kind_, "metadata": meta, **body}, "oldObject": None, "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}}}, separators=(",", ":"))


def policies(folder):
    """The library with a constraint each, as files."""
    out = []
    for template in sorted(glob.glob(os.path.join(root, "library", "*", "*", "template.yaml"))):
        name = "-".join(template.split(os.sep)[-3:-1])
        constraint = open(os.path.join(os.path.dirname(template), "samples", "constraint.yaml")).read()
        constraint = re.sub(r"  annotations:\n    regent.dev/workloads: 'true'\n", "", constraint)
        if "kinds:" not in constraint:
            every = "spec:\n  match:\n    kinds:\n      - apiGroups: ['', apps]\n        kinds: [Pod, Deployment]\n"
            constraint = constraint.replace("spec:\n", every, 1)
        for what, text in (("template", open(template).read()), ("constraint", constraint)):
            out.append(os.path.join(folder, f"{what}-{name}.yaml"))
            with open(out[-1], "w") as file:
                file.write(text)
    return out


def ask(address, body):
    """The response in an answer, and the milliseconds it took."""
    request = urllib.request.Request(f"https://{address}/v1/admit?timeout=10s", body.encode(), {"Content-Type": "application/json"})
    begin = time.perf_counter()
    with urllib.request.urlopen(request, context=ssl._create_unverified_context()) as answer:
        response = json.load(answer)["response"]
    return response, (time.perf_counter() - begin) * 1e3


def load(server, bodies, connections, seconds, *rate):
    """What the generator said of a run, with the CPU seconds that the server used."""
    _, address, pid = server
    args = [os.path.join(examples, "load"), address, bodies, str(connections), str(seconds), *map(str, rate)]
    before = cpu(pid)
    figures = json.loads(subprocess.run(args, capture_output=True, text=True, check=True).stdout)
    figures["cpu"] = cpu(pid) - before
    return figures
