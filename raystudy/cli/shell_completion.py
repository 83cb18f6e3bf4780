"""``raystudy completion``: scripts for shells."""

import sys

from raystudy.errors import EXIT_DONE

SCRIPTS = {
    "bash": """\
_raystudy() {
    local IFS=$'\\n' word=${COMP_WORDS[COMP_CWORD]}
    COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
    COMPREPLY=($(raystudy-words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -F _raystudy raystudy
""",
    "zsh": """\
_raystudy() {
    local -a found
    found=("${(@f)$(raystudy-words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -Q -S '' -- $found
}
compdef _raystudy raystudy
""",
    "fish": """\
function __raystudy_words
    set -l typed (commandline -opc) (commandline -ct)
    raystudy-words $typed[2..-1] 2>/dev/null
end
complete -c raystudy -f -a '(__raystudy_words)'
""",
}


def completion(shell: str) -> int:
    """Print the script for `shell`."""
    sys.stdout.write(SCRIPTS[shell])
    return EXIT_DONE
