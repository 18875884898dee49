//! What a program writes: all of it is read, a bounded part of it is kept.

use crate::support::{LONG, output, runner, shell};
use command::Runner;

#[track_caller]
fn check(script: &str, code: i32, stdout: &str, stderr: &str) {
    let output = output(script);
    assert_eq!((output.code, &*output.stdout, &*output.stderr), (code, stdout, stderr));
    assert_eq!(output.success(), code == 0);
}

#[test]
fn exit_code_and_outputs_are_told_apart() {
    check("exit 0", 0, "", "");
    check("echo out; echo err >&2; exit 15", 15, "out\n", "err");
    check("exit 255", 255, "", "");
    check("printf 'one\\ntwo\\n' >&2", 0, "", "one two");
    check(r"printf 'a\377b'", 0, "a\u{fffd}b", "");
    check("printf end", 0, "end", "");
}

#[test]
fn standard_input_is_empty() {
    check("cat; read line || echo nothing", 0, "nothing\n", "");
}

#[test]
fn both_pipes_may_overflow_at_once() {
    // In turns, far more than a pipe holds: a reader of one after the other waits without end.
    let flood = "i=0; while [ $i -lt 40 ]; do
        head -c 100000 /dev/zero | tr '\\0' o; head -c 100000 /dev/zero | tr '\\0' e >&2; i=$((i+1));
        done; echo last >&2; exit 3";
    let output = output(flood);
    assert_eq!(output.code, 3);
    assert_eq!(output.stdout, "o".repeat(1024 * 1024));
    assert_eq!(
        output.stderr,
        format!("{} … {}last", "e".repeat(511), "e".repeat(510 - "last".len()))
    );
}

#[test]
fn what_was_written_just_before_the_end_is_not_lost() {
    for _ in 0..200 {
        check("printf 0123456789; printf abc >&2", 0, "0123456789", "abc");
    }
    let full_pipe = output("head -c 65536 /dev/zero | tr '\\0' x");
    assert_eq!(full_pipe.stdout.len(), 65536);
}

#[test]
fn closed_outputs_are_no_end() {
    check("exec >&- 2>&-; sleep 0.1; exit 4", 4, "", "");
}

#[test]
fn a_secret_repeated_by_the_program_is_hidden() {
    let command = shell("echo \"wrong password: $0\" >&2; exit 1", LONG).secret("hunter2");
    let output = runner().run(&command).unwrap();
    assert_eq!(output.stderr, "wrong password: ***");
}
