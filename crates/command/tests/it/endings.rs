//! How a program ends: by itself, by a signal, at its limit, or never.

use std::{fs, time::Duration};

use crate::support::{
    LONG, SHORT, assert_gone, output, run, runner, shell, wait_for, wait_for_alive,
};
use command::{Command, Error, Runner};

#[track_caller]
fn check(result: Result<command::Output, Error>, message: &str) {
    assert_eq!(result.unwrap_err().to_string(), message);
}

#[test]
fn a_signal_is_no_exit_code() {
    check(run("kill -SEGV $$", LONG), "sh was ended by signal 11");
    check(run("kill -KILL $$", LONG), "sh was ended by signal 9");
}

#[test]
fn work_is_done_while_the_program_runs() {
    let dir = tempfile::tempdir().unwrap();
    let done = dir.path().join("done");
    let script = format!("until [ -e {} ]; do sleep 0.01; done; echo seen", done.display());
    let command = shell(&script, LONG);
    let mut calls = 0;
    let output = runner().run_beside(&command, &mut || {
        calls += 1;
        fs::write(&done, "").unwrap();
    });
    assert_eq!((&*output.unwrap().stdout, calls), ("seen\n", 1));
}

#[test]
fn a_program_that_hangs_is_killed() {
    let error = run("exec sleep 7311.1", SHORT).unwrap_err();
    assert!(error.is_timeout() && !error.is_not_started());
    check(Err(error), "sh did not finish within 300ms and was killed");
    assert_gone("7311.1");
}

#[test]
fn its_children_are_killed_with_it() {
    check(
        run("sleep 7311.2 & sh -c 'sleep 7311.2; true' & wait", SHORT),
        "sh did not finish within 300ms and was killed",
    );
    assert_gone("7311.2");
}

#[test]
fn a_program_that_ignores_sigterm_is_killed() {
    check(
        run("trap '' TERM; while :; do sleep 0.7313; done", SHORT),
        "sh did not finish within 300ms and was killed",
    );
    assert_gone("0.7313");
}

#[test]
fn a_child_that_ignores_sigterm_is_killed() {
    check(
        run("(trap '' TERM; while :; do sleep 0.7314; done) & exec sleep 7314", SHORT),
        "sh did not finish within 300ms and was killed",
    );
    assert_gone("7314");
}

#[test]
fn a_program_may_clean_up_when_it_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let cleaned = dir.path().join("cleaned");
    let script =
        format!("trap 'echo > {}; exit 0' TERM; while :; do sleep 0.01; done", cleaned.display());
    // It has ended with 0, but what it has left undone is not known.
    check(run(&script, SHORT), "sh did not finish within 300ms and was killed");
    assert!(cleaned.exists());
}

#[test]
fn an_endless_writer_is_killed() {
    check(run("exec yes", SHORT), "sh did not finish within 300ms and was killed");
    check(run("exec yes >&2", SHORT), "sh did not finish within 300ms and was killed");
}

#[test]
fn no_time_at_all_is_a_limit_too() {
    check(run("exec sleep 7315", Duration::ZERO), "sh did not finish within 0ns and was killed");
    assert_gone("7315");
}

#[test]
fn a_grandchild_that_holds_the_pipes_is_not_waited_for() {
    let output = output("sleep 7316 & echo done; echo bad >&2; exit 7");
    assert_eq!((output.code, &*output.stdout, &*output.stderr), (7, "done\n", "bad"));
    stop("7316");
}

#[test]
fn a_grandchild_that_writes_without_end_is_not_waited_for() {
    let output = output("yes 7317 & exit 8");
    assert_eq!(output.code, 8);
    assert_gone("7317"); // the pipe has no reader any more
}

#[test]
fn output_after_the_end_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let go = dir.path().join("go");
    let end = dir.path().join("end");
    let script = format!(
        "(trap '' PIPE; while [ ! -e {go} ]; do sleep 0.01; done; echo late; echo > {end}) & echo early",
        go = go.display(),
        end = end.display(),
    );
    assert_eq!(output(&script).stdout, "early\n");
    fs::write(&go, "").unwrap();
    wait_for(&end);
}

#[test]
fn a_program_that_cannot_be_killed_is_left_behind() {
    // Stands for one that waits in the kernel: it leaves its group, so that no signal reaches it.
    let script =
        "setpgrp(0, getpgrp(getppid())) or die; $SIG{ALRM} = 'DEFAULT'; alarm 30; sleep 7318";
    let command = Command::new("perl", Duration::from_secs(2)).args(["-e", script]);
    check(
        runner().run(&command),
        "perl did not finish within 2s and cannot be killed: it waits in the kernel, see dmesg; \
         it was left behind",
    );
    stop("7318");
}

#[test]
fn calls_do_not_disturb_each_other() {
    std::thread::scope(|scope| {
        for code in 0..16 {
            scope.spawn(move || {
                let output = output(&format!("sleep 0.05; echo {code}; exit {code}"));
                assert_eq!((output.code, output.stdout), (code, format!("{code}\n")));
            });
        }
        scope.spawn(|| run("exec sleep 7319", SHORT).unwrap_err());
    });
    assert_gone("7319");
}

/// Ends what a test has left behind on purpose.
#[track_caller]
fn stop(mark: &str) {
    for pid in wait_for_alive(mark) {
        output(&format!("kill -KILL {pid}"));
    }
    assert_gone(mark);
}
