"""Verbs about what is installed, configured and stored."""

from raystudy.cli import completers
from raystudy.cli.commands.arguments import (
    JSON,
    RESULTS,
    SEARCH_PATH,
    STUDY_ID,
    settings,
)
from raystudy.cli.commands.command import Command, argument

ENVIRONMENT = (
    Command(
        name="pack",
        module="raystudy.cli.pack",
        function="pack_images",
        summary="Pack any number of images for training with data=packed.",
        details="""\
FOLDER (or a tar of it) has <class>/*, or train/<class>/* with val/ and test/;
ImageNet as torchvision keeps it, a folder of ImageNet's published tars, and
Tiny ImageNet are known too. OUT gets one file of JPEGs for each split.
Interrupted, it continues when run again; of a finished pack it verifies every
image. A JPEG no larger than --size is kept byte for byte.""",
        arguments=(
            argument("folder", metavar="FOLDER", help="a folder of images, or a tar of one"),
            argument("out", metavar="OUT", help="the folder to write"),
            argument("--size", type=int, default=256, help="pixels of the shorter side (256)"),
            argument("--quality", type=int, default=90, help="of the JPEGs, 1 to 100 (90)"),
            argument(
                "--chroma",
                choices=("auto", "420", "444"),
                default="auto",
                help="420: colours at half the resolution, read in 0.7 of the time; 444: at "
                "all of it (auto: 444 for images below 128 pixels)",
            ),
            argument(
                "--val-share",
                type=float,
                default=0.1,
                help="part of the training images kept for validation if there is no val/ (0.1)",
            ),
            argument(
                "--test-share",
                type=float,
                default=0.1,
                help="part of them kept for the test if there is neither test/ nor val/ (0.1)",
            ),
            argument("--seed", type=int, default=0, help="of that cut (0)"),
            argument("--threads", type=int, default=None, help="as many as cores if left out"),
            settings(
                "scaling=cluster: encode by Ray's tasks; files are read and written here",
                completer=completers.scaling,
            ),
        ),
        examples="""\
raystudy pack ~/imagenet /data/imagenet-256           # torchvision's layout, val/ becomes the test
raystudy pack tiny-imagenet-200 /data/tiny --size 64
raystudy pack ~/photos /data/photos --val-share 0.05
raystudy pack ~/imagenet /shared/imagenet scaling=cluster   # encoded by all nodes of its Ray""",
    ),
    Command(
        name="show",
        module="raystudy.cli.show",
        function="show",
        summary="Show a study's settings, search space, and each number's source.",
        details="With --all: those of every option of every group, whatever the study.",
        arguments=(
            argument(
                "name",
                nargs="?",
                metavar="STUDY",
                help="a name, such as swaro ('raystudy list')",
                completer=completers.study_names,
            ),
            argument("--all", action="store_true", dest="show_all", help="every option's settings"),
            settings(),
            SEARCH_PATH,
            JSON,
        ),
        examples="""\
raystudy show swaro
raystudy show swaro data=cifar10 | less
raystudy show --all | less""",
    ),
    Command(
        name="list",
        module="raystudy.cli.list",
        function="list_options",
        summary="List all studies, and the options of every group of settings.",
        arguments=(JSON, SEARCH_PATH),
        examples="""\
raystudy list
raystudy list --json""",
    ),
    Command(
        name="docs",
        module="raystudy.cli.docs",
        function="docs",
        summary="Print a page of the documentation, or the list of pages.",
        arguments=(
            argument(
                "page",
                nargs="?",
                metavar="PAGE",
                help="such as tutorial; without one all are listed",
                completer=completers.pages,
            ),
        ),
        examples="""\
raystudy docs
raystudy docs tutorial
raystudy docs settings | less                         # every setting of every option""",
    ),
    Command(
        name="ui",
        module="raystudy.cli.ui",
        function="ui",
        summary="Open MLflow's user interface, on all results or on one study.",
        arguments=(
            argument(
                "study",
                nargs="?",
                metavar="STUDY",
                help="its trials, their charts, and a comparison of the best",
                completer=completers.study_ids_and_store_settings,
            ),
            argument(
                "--optuna",
                metavar="STUDY",
                help="open Optuna's dashboard on this study instead",
                completer=completers.study_ids,
            ),
            argument("--port", type=int, default=5000, help="(5000)"),
            argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)"),
            argument(
                "--address", action="store_true", help="say where its pages are and start nothing"
            ),
            settings("tracker.uri= or output_dir=", completer=completers.store_settings),
        ),
        examples="""\
raystudy ui
raystudy ui swaro-1              # its trials, the best first
raystudy ui --optuna swaro-1     # pip install 'raystudy[dashboard]'""",
    ),
    Command(
        name="sync",
        module="raystudy.cli.sync",
        function="sync_study",
        summary="Upload to MLflow what is waiting on disk.",
        details="""\
Results wait on disk while the server is unreachable. If it still is, sync
reports that within seconds; --background keeps trying.""",
        arguments=(
            STUDY_ID,
            argument(
                "--background",
                action="store_true",
                help="keep trying in the background if the server is unreachable",
            ),
            settings("tracker.uri= or output_dir=", completer=completers.store_settings),
        ),
        examples="""\
raystudy sync swaro-1
raystudy sync swaro-1 tracker.uri=http://host:5000    # to another server""",
    ),
    Command(
        name="doctor",
        module="raystudy.cli.doctor.verb",
        function="doctor",
        summary="Check versions, devices, disk, MLflow, workers and Ray.",
        details="""\
With a study ('raystudy doctor swaro data=cifar10'), also check that its output
fits on disk.""",
        arguments=(
            argument(
                "study",
                nargs="?",
                metavar="STUDY",
                help="also check that its output fits on disk",
                completer=completers.study_names_and_settings,
            ),
            JSON,
            settings(),
            SEARCH_PATH,
        ),
        examples="""\
raystudy doctor
raystudy doctor swaro data=cifar10 study.num_trials=64   # does its output fit on disk?
raystudy doctor scaling.num_workers=2                    # with Ray's dashboard""",
    ),
    Command(
        name="cluster",
        module="raystudy.cli.cluster",
        function="cluster",
        from_laptop=False,
        summary="Print a cluster file for machines of your own.",
        details="""\
The first machine is the head, which runs the search. For AWS, cluster.yaml is
in the checkout.""",
        arguments=(
            argument("action", choices=("init",), help="print the file for 'ray up'"),
            argument(
                "--hosts",
                required=True,
                metavar="HOST,HOST,...",
                help="names or addresses, the head first",
            ),
            argument("--user", help="of ssh, on all of them (yours)"),
            argument("--key", metavar="FILE", help="private key of ssh (~/.ssh/id_ed25519, ...)"),
            argument(
                "--shared",
                metavar="FOLDER",
                help="that all of them see (/shared, which the head serves by NFS)",
            ),
        ),
        examples="""\
raystudy cluster init --hosts 10.0.0.1,10.0.0.2 | tee machines.yaml   # then: ray up machines.yaml
raystudy cluster init --hosts a,b,c --user me --key ~/.ssh/lab --shared /nfs""",
    ),
    Command(
        name="rm",
        module="raystudy.cli.rm",
        function="remove",
        summary="Delete a study: its folder, and its runs in MLflow.",
        details="Without --yes it only lists what would be deleted. Stop a running study first.",
        arguments=(
            STUDY_ID,
            argument("--yes", action="store_true", dest="confirmed", help="really delete it"),
            argument("--keep-mlflow", action="store_true", help="leave its runs in MLflow"),
            RESULTS,
        ),
        examples="""\
raystudy rm swaro-1                                   # list what would be deleted
raystudy rm swaro-1 --yes                             # delete it, and its runs in MLflow""",
    ),
    Command(
        name="completion",
        module="raystudy.cli.completion",
        function="completion",
        from_laptop=False,
        summary="Print the completion script for your shell.",
        details="""\
bash:  eval "$(raystudy completion bash)"
zsh:   eval "$(raystudy completion zsh)"
fish:  raystudy completion fish | source""",
        arguments=(argument("shell", choices=("bash", "zsh", "fish")),),
        examples="""\
eval "$(raystudy completion bash)"                    # in ~/.bashrc
eval "$(raystudy completion zsh)"                     # in ~/.zshrc, after compinit
raystudy completion fish | source                     # in ~/.config/fish/config.fish""",
    ),
)
