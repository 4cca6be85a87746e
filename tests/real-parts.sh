#!/usr/bin/env bash
# Installs the named Debian packages where it may; says plainly what will be skipped where it may not.
set -u
for package in "$@"; do
    if dpkg -s "$package" >/dev/null 2>&1; then continue; fi
    run=""
    if [ "$(id -u)" -ne 0 ]; then run="sudo -n"; fi
    echo "installing $package for the tests of real parts" >&2
    if ! { $run apt-get update -qq && $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"; } >/dev/null 2>&1; then
        echo "NOT INSTALLED: $package (no apt-get, or no right to use it). The tests that need it will be skipped, each saying so." >&2
        echo "  To run them: sudo apt-get install $package" >&2
        if [ "$package" = python3-venv ]; then exit 1; fi
    fi
done
exit 0
