#!/bin/sh
# Install Emacs, eglot and company for the tests, from Debian's packages. Meant for a bare Debian 12 as root; elsewhere
# emacs with both of them, and tmux, must be there already. Run again, it does nothing.
set -eu

ready() {
    command -v tmux >/dev/null && command -v emacsclient >/dev/null &&
        emacs -q --batch --eval "(progn (require 'eglot) (require 'company))" >/dev/null 2>&1
}

if ready; then exit 0; fi
"$(dirname "$0")/debian-packages.sh" emacs-nox elpa-eglot elpa-company tmux
ready || { echo "install-emacs: Emacs does not find eglot and company" >&2; exit 1; }
