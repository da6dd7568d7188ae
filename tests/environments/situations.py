"""Situations in which a run may find itself on machines that nobody prepared, and what must come of each.

Each is a piece of shell. Variables: RUN is the command of a small run with a stub training; RETRAIN the `retrain`
command; PYTHON the interpreter; STORE the run's store, with its datasets; HERE an empty folder, which is the working
folder; and the addresses of the servers in tests/environments/servers.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Situation:
    """One situation.

    Attributes:
        kind: What it is about.
        name: The situation in a few words.
        script: The shell that makes it and runs the command.
        refusal: Words of the one line by which the run is refused; "" if a report must be published.
        code: The exit code, if it is not the usual one of the outcome (0 or 2).
        needs_root: Whether only root can make it.
        needs_mount: Whether file systems must be mounted for it.
        needs_other_user: Whether another user starts the command.
        says: Words that the output of a published run must have.
    """

    kind: str
    name: str
    script: str
    refusal: str = ""
    code: int | None = None
    needs_root: bool = False
    needs_mount: bool = False
    needs_other_user: bool = False
    says: str = ""


PROVENANCE = [
    Situation(
        "provenance",
        "git answers with bytes that are not UTF-8",
        "git() { :; }; mkdir bin; printf \"#!/bin/sh\\nprintf '\\\\345\\\\n'\\n\" > bin/git; chmod +x bin/git; PATH=$HERE/bin:$PATH $RUN",
    ),
    Situation(
        "provenance",
        "git never answers",
        'mkdir bin; printf "#!/bin/sh\\nexec sleep 60\\n" > bin/git; chmod +x bin/git; PATH=$HERE/bin:$PATH $RUN',
    ),
    Situation("provenance", "GIT_DIR names another repository", "GIT_DIR=/nowhere GIT_WORK_TREE=/ $RUN"),
]
PROXIES = [
    Situation("proxies", "a proxy, and no exceptions", "HTTP_PROXY=$PROXY HTTPS_PROXY=$PROXY http_proxy=$PROXY $RUN"),
    Situation(
        "proxies",
        "a proxy of a kind that nothing supports",
        "ALL_PROXY=socks5://127.0.0.1:9 HTTPS_PROXY=nonsense://:x http_proxy=http://a:b:c $RUN",
    ),
    Situation(
        "proxies",
        "certificates that are not there",
        "SSL_CERT_FILE=/nowhere.pem SSL_CERT_DIR=/nowhere REQUESTS_CA_BUNDLE=/nowhere $RUN",
    ),
    Situation(
        "proxies",
        "a download through a proxy of a kind that nothing supports",
        "https_proxy=socks5://user:word@127.0.0.1:9 $RETRAIN run --source https://reviews.example/x.npz --sha256 $HASH --store $STORE",
        "https_proxy must be an http:// or https:// address",
    ),
    Situation(
        "proxies",
        "a download with certificates that are not there",
        "SSL_CERT_FILE=/nowhere.pem $RETRAIN run --source https://127.0.0.1:9/x.npz --sha256 $HASH --store $STORE",
        "SSL_CERT_FILE must name a file of certificates",
    ),
    Situation(
        "proxies",
        "an object store behind a proxy of a kind that nothing supports",
        "AWS_ENDPOINT_URL=https://objects.example HTTPS_PROXY=socks5://127.0.0.1:9 $RETRAIN run $JOB --store s3://b/x",
        "HTTPS_PROXY must be an http:// or https:// address",
    ),
]
STREAMS = [
    Situation("streams", "standard error on a full disk", "$RUN 2>/dev/full"),
    Situation(
        "streams", "standard error without a reader", "{ $RUN 2>&3; echo $? >code; } 3>&1 >out | true; exit $(cat code)"
    ),
    Situation(
        "streams",
        "a log whose reader stands still",
        "STUB_EPOCH_SECONDS=0.002 $RETRAIN run ${JOB/epochs 1/epochs 900} --patience 900 --store $STORE 2> >(exec sleep 25 >/dev/null)",
    ),
    Situation(
        "streams", "standard output on a full disk", "$RUN >/dev/full", says="standard output could not be written"
    ),
    Situation("streams", "standard output without a reader", "{ $RUN; echo $? >code; } | true; exit $(cat code)"),
    Situation("streams", "all standard streams closed", "$RUN <&- >&- 2>&-"),
    Situation(
        "streams",
        "a terminal of ASCII",
        "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 PYTHONIOENCODING=ascii $RUN",
        says="report: ",
    ),
    Situation("streams", "a terminal of EUC-KR", "PYTHONIOENCODING=euc-kr $RUN --lang ko", says="report: "),
    Situation("streams", "forced colours in a log file", "FORCE_COLOR=1 TTY_COMPATIBLE=1 $RUN", says="epoch 1/1"),
    Situation("streams", "a terminal without columns", "COLUMNS=0 TERM=dumb $RUN", says="epoch 1/1"),
    Situation(
        "streams",
        "a list of runs of which only the first line is read",
        "$RUN; $RETRAIN history --store $STORE | true; exit ${PIPESTATUS[0]}",
    ),
    Situation(
        "streams",
        "a list of runs on a full disk",
        "$RUN >out 2>&1; $RETRAIN history --store $STORE >/dev/full",
        "standard output could not be written",
        code=2,
    ),
]
PREFECT = [
    Situation(
        "prefect",
        "a server that is not there",
        "PREFECT_API_URL=$CLOSED/api $RUN",
        "PREFECT_API_URL must be the address of a Prefect server",
    ),
    Situation(
        "prefect",
        "a server that never answers",
        "PREFECT_API_URL=$SILENT/api $RUN",
        "PREFECT_API_URL must be the address of a Prefect server",
    ),
    Situation("prefect", "a web server that is no Prefect", "PREFECT_API_URL=$WEB/api $RUN", "is no Prefect API"),
    Situation("prefect", "an address without /api", "PREFECT_API_URL=$LOGIN $RUN", "is no Prefect API"),
    Situation(
        "prefect", "a server that wants a password", "PREFECT_API_URL=$LOCKED/api $RUN", "PREFECT_API_AUTH_STRING"
    ),
    Situation(
        "prefect",
        "a server of another major version",
        "PREFECT_API_URL=$OLD/api $RUN",
        "must have the same major version",
    ),
    Situation(
        "prefect",
        "an address without a scheme",
        "PREFECT_API_URL=127.0.0.1:4200/api $RUN",
        "PREFECT_API_URL must be the address of a Prefect server",
    ),
    Situation(
        "prefect",
        "an address in quotes",
        "PREFECT_API_URL='\"http://127.0.0.1:4200/api\"' $RUN",
        "PREFECT_API_URL must be the address of a Prefect server",
    ),
    Situation(
        "prefect",
        "a profile that names a server that is not there",
        'mkdir -p $HOME/.prefect; printf "active=\\"work\\"\\n[profiles.work]\\nPREFECT_API_URL=\\"$CLOSED/api\\"\\n" > $HOME/.prefect/profiles.toml; $RUN',
        "profile 'work'",
    ),
    Situation(
        "prefect",
        "a file of profiles that is no TOML",
        'mkdir -p $HOME/.prefect; echo "[[[" > $HOME/.prefect/profiles.toml; $RUN',
        "Prefect must be able to read its settings",
    ),
    Situation(
        "prefect",
        "a setting that Prefect refuses",
        "PREFECT_CLIENT_MAX_RETRIES=many $RUN",
        "Prefect must be able to read its settings",
    ),
    Situation(
        "prefect",
        "a user's database that is damaged",
        "mkdir -p $HOME/.prefect; echo nonsense > $HOME/.prefect/prefect.db; $RUN",
    ),
    Situation(
        "prefect",
        "a database of the user on a server that is not there",
        "PREFECT_API_DATABASE_CONNECTION_URL=postgresql+asyncpg://u:p@127.0.0.1:9/x PREFECT_SERVER_DATABASE_CONNECTION_URL=postgresql+asyncpg://u:p@127.0.0.1:9/x $RUN",
    ),
]
USERS = [
    Situation(
        "users",
        "another user without a home, who cannot write the checkout",
        "chmod -R a+rwX $HERE $STORE; cd /; exec setpriv --reuid 4242 --regid 4242 --clear-groups env -u HOME $RUN",
        needs_root=True,
        needs_other_user=True,
    ),
    Situation("users", "a home and a temporary folder that do not exist", "HOME=/nowhere TMPDIR=/nowhere $RUN"),
    Situation(
        "users",
        "a home that cannot be written",
        "mkdir locked; chmod 555 locked; chown 4242 $STORE -R; chmod a+rx $HERE; exec setpriv --reuid 4242 --regid 4242 --clear-groups env HOME=$HERE/locked $RUN",
        needs_root=True,
        needs_other_user=True,
    ),
    Situation(
        "users",
        "a working folder that cannot be read",
        "chown -R 4242 $STORE; mkdir closed; touch closed/.env; chmod 700 closed; cd closed; exec setpriv --reuid 4242 --regid 4242 --clear-groups $RUN",
        needs_root=True,
        needs_other_user=True,
    ),
    Situation("users", "a working folder that was deleted", "mkdir gone; cd gone; rmdir ../gone; $RUN"),
    Situation(
        "users",
        "a deleted working folder and a relative store",
        "mkdir gone; cd gone; rmdir ../gone; $RETRAIN run $JOB --store output",
        "The working folder must exist",
    ),
    Situation(
        "users",
        "a temporary folder that is full",
        "mkdir full; mount -t tmpfs -o size=64k none full; head -c 64k /dev/zero > full/x 2>/dev/null; TMPDIR=$HERE/full $RUN",
        needs_root=True,
        needs_mount=True,
    ),
    Situation(
        "users", "a small /dev/shm", "mount -t tmpfs -o size=4k none /dev/shm; $RUN", needs_root=True, needs_mount=True
    ),
    Situation("users", "files that not even their owner can read", "umask 0777; $RUN"),
]
SETTINGS = [
    Situation(
        "settings", "Numba's compiler is switched off", "NUMBA_DISABLE_JIT=1 NUMBA_OPT=0 NUMBA_NUM_THREADS=none $REAL"
    ),
    Situation(
        "settings",
        "a user's settings of Keras",
        'mkdir -p $HOME/.keras; echo \'{"floatx": "float64", "backend": "torch", "epsilon": 1}\' > $HOME/.keras/keras.json; KERAS_BACKEND=jax $REAL',
    ),
    Situation(
        "settings",
        "settings of TensorFlow that do not exist",
        "TF_XLA_FLAGS=--nonsense XLA_FLAGS=--nonsense TF_CPP_MIN_LOG_LEVEL=0 OMP_NUM_THREADS=none $REAL",
    ),
    Situation(
        "settings",
        "a user's settings of Matplotlib",
        'mkdir -p $HOME/.config/matplotlib; printf "text.usetex: True\\nfont.family: nonsense\\n" | tee $HOME/.config/matplotlib/matplotlibrc > matplotlibrc; MPLBACKEND=nonsense MATPLOTLIBRC=$HERE/matplotlibrc $RUN && $RETRAIN report --store $STORE',
    ),
    Situation("settings", "warnings that are errors", "PYTHONWARNINGS=error $RUN"),
    Situation(
        "settings",
        "another time zone and locale",
        "PYTHONSAFEPATH=1 TZ=Mars/Olympus LC_ALL=ko_KR.UTF-8 LANG=tr_TR.UTF-8 $RUN && TZ=America/New_York $RETRAIN report --store $STORE",
    ),
]
FILES = [
    Situation(
        "files",
        "a store on a full disk",
        "mkdir full; mount -t tmpfs -o size=64k none full; head -c 60k /dev/zero > full/x; $RETRAIN run $JOB --store $HERE/full/store",
        "No space left on device",
        needs_root=True,
        needs_mount=True,
    ),
    Situation(
        "files",
        "a store that is read-only",
        "mount --bind $STORE $STORE; mount -o remount,ro,bind $STORE; $RUN",
        "`store` must be a folder that can be written",
        needs_root=True,
        needs_mount=True,
    ),
    Situation(
        "files",
        "a store that is a file",
        "touch file; $RETRAIN run $JOB --store $HERE/file",
        "`store` must be a folder that can be written",
    ),
]
ADDRESSES = [
    Situation("addresses", "a mistyped URI", "$RETRAIN run $JOB --store s3:/b/x", "looks like a mistyped URI"),
    Situation(
        "addresses", "a quoted folder in RETRAIN_STORE", "RETRAIN_STORE='\"/tmp/q\"' $RETRAIN run $JOB", "is in quotes"
    ),
    Situation(
        "addresses",
        "a variable that nobody replaced",
        "RETRAIN_STORE='${HOME}/store' $RETRAIN run $JOB",
        "whose variable nobody has replaced",
    ),
    Situation("addresses", "a line end behind the folder", 'RETRAIN_STORE="$STORE\n" $RETRAIN run $JOB'),
    Situation(
        "addresses",
        "empty variables",
        "cd $STORE/..; mv $STORE output; ln -s output $STORE; RETRAIN_STORE= AWS_ENDPOINT_URL= $RETRAIN run $JOB",
    ),
    Situation(
        "addresses",
        "a folder whose parent is missing",
        '$RETRAIN run $JOB --store "$STORE/a/b c/리뷰" && mv "$STORE/a/b c/리뷰/runs" $STORE/',
    ),
    Situation(
        "addresses",
        "an object store that is not there",
        "AWS_ENDPOINT_URL=$CLOSED AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_REGION=x $RETRAIN run $JOB --store s3://b/x",
        "The store s3://b/x could not be used",
    ),
    Situation(
        "addresses",
        "an object store that never answers",
        "AWS_ENDPOINT_URL=$SILENT AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_REGION=x $RETRAIN run $JOB --store s3://b/x",
        "The store s3://b/x could not be used",
    ),
]
MODULES = [
    Situation(
        "modules",
        "other modules of the same names on PYTHONPATH",
        'mkdir other; for name in tasks storage reports; do echo "raise SystemExit(9)" > other/$name.py; done; PYTHONPATH=$HERE/other:$PYTHONPATH $RUN',
    ),
    Situation(
        "modules",
        "other modules of the same names in the working folder",
        'for name in tasks storage reports numpy rich; do echo "raise SystemExit(9)" > $name.py; done; $PYTHON -m flows run $JOB --store $STORE',
    ),
    Situation(
        "modules",
        "a foreign `flows` on PYTHONPATH",
        'mkdir other; echo "raise SystemExit(9)" > other/flows.py; PYTHONPATH=$HERE/other:$PYTHONPATH $RUN',
    ),
]
SITUATIONS = [*PROVENANCE, *PROXIES, *STREAMS, *PREFECT, *USERS, *SETTINGS, *FILES, *ADDRESSES, *MODULES]
