"""What ``--help`` teaches by: the verbs in the order of a study's life, and examples of each."""

GROUPS = {
    "search": ("sweep", "plan", "train", "resume", "extend", "pause", "stop"),
    "know where you stand": ("studies", "status", "best", "logs", "compare", "diff", "export"),
    "conclude": ("evaluate", "look", "confirm", "report", "replay"),
    "what there is": ("show", "list", "ui", "sync", "doctor", "rm", "completion"),
}

EXAMPLES = {
    "sweep": """\
raystudy sweep swaro                                  # the main job, on this machine
raystudy sweep swaro study.num_trials=32 sampler=gp   # more trials, another sampler
raystudy sweep swaro clusters.probability=0.5         # pin a setting that is searched
raystudy sweep swaro 'optimizer.lr=interval(0.1,2)'   # search another range
raystudy sweep swaro 'attack=choice(swaro_digits,rocl_digits)'   # search a whole group
raystudy sweep swaro 'study.objectives=[val/accuracy,val/robust_accuracy]' sampler=nsga2
raystudy sweep swaro data=cifar10 data.root=~/data scaling.use_gpu=true
raystudy sweep swaro study.num_trials=64 study.budget.wall_hours=1""",
    "plan": """\
raystudy plan swaro                                   # trials, hours, passes, disk
raystudy plan swaro data=cifar10 study.num_trials=64 study.budget.passes=1e9
raystudy plan swaro --json""",
    "train": """\
raystudy train swaro                                  # the published recipe
raystudy train swaro max_epochs=3 optimizer.lr=0.5
raystudy train align --search-path mine               # a method of your own""",
    "resume": """\
raystudy resume swaro-1
raystudy resume swaro-1 scaling.max_concurrent=2""",
    "extend": """\
raystudy extend swaro-1 study.num_trials=+32          # 32 more
raystudy extend swaro-1 study.num_trials=64           # 64 in all""",
    "pause": "raystudy pause swaro-1",
    "stop": "raystudy stop swaro-1",
    "studies": """\
raystudy studies
raystudy studies --json output_dir=/shared/results""",
    "status": """\
raystudy status swaro-1
raystudy status swaro-1 -f                            # until the study ends""",
    "best": """\
raystudy best swaro-1
raystudy best swaro-1 --json""",
    "logs": """\
raystudy logs swaro-1 3
raystudy logs swaro-1 3 -f                            # all ranks, until the trial ends""",
    "compare": """\
raystudy compare swaro-1 rocl-1
raystudy compare swaro-1 rocl-1 --budget passes=5e6   # at equal cost""",
    "diff": "raystudy diff swaro-1/0 swaro-1/3",
    "export": """\
raystudy export swaro-1 --output trials.csv
raystudy export swaro-1 --format latex
raystudy export swaro-1/3 --format safetensors        # the encoder, for other programs""",
    "evaluate": """\
raystudy evaluate swaro-1                             # its best trial, by the suite 'quick'
raystudy evaluate swaro-1/3 suite=swaro_table1        # a trial, by the protocol of a table
raystudy evaluate swaro-1 rocl-1 suite=swaro_table4   # several at once, and transfer
raystudy evaluate theirs.pt encoder=resnet18 data=cifar10 suite=full""",
    "look": """\
raystudy look swaro-1
raystudy look swaro-1/3 --picture adversarial --output pictures""",
    "confirm": """\
raystudy confirm swaro-1                              # 3 finalists and the recipe, 5 seeds
raystudy confirm swaro-1 --top 8 --seeds 4""",
    "report": """\
raystudy report swaro-1
raystudy report swaro-1 --output swaro.html""",
    "replay": """\
raystudy replay swaro-1/3
raystudy replay 0123456789abcdef0123456789abcdef      # the id of its run in MLflow""",
    "rm": """\
raystudy rm swaro-1                                   # says what would go
raystudy rm swaro-1 --yes                             # and does it, runs in MLflow too""",
    "show": """\
raystudy show swaro
raystudy show swaro data=cifar10 | less""",
    "list": """\
raystudy list
raystudy list --json""",
    "ui": """\
raystudy ui
raystudy ui --port 5001""",
    "sync": """\
raystudy sync swaro-1
raystudy sync swaro-1 tracker.uri=http://host:5000    # to another server""",
    "doctor": """\
raystudy doctor
raystudy doctor swaro data=cifar10 study.num_trials=64   # does the disk hold that?
raystudy doctor scaling.num_workers=2                    # with Ray's dashboard""",
    "completion": """\
eval "$(raystudy completion bash)"                    # in ~/.bashrc
eval "$(raystudy completion zsh)"                     # in ~/.zshrc, after compinit
raystudy completion fish | source                     # in ~/.config/fish/config.fish""",
}
