"""Drives the simulated cloud with Oracle's own SDK and command line.

    python main.py <oci-sim> <oci>

Where they disagree with the simulator, the simulator is wrong.
"""

import sys
import traceback

import command_line
import principals
import sdk


def main(simulator, oci):
    checks = [(it, simulator) for it in sdk.CHECKS + principals.CHECKS]
    checks += [(it, simulator, oci) for it in command_line.CHECKS]
    failed = 0
    for check, *arguments in checks:
        name = f"{check.__module__}: {check.__name__.replace('_', ' ')}"
        try:
            check(*arguments)
            print(f"ok     {name}", flush=True)
        except Exception:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAILED {name}", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
