//! The disk of a login is taken when the kernel announces it, not at the next look.

use testbed::success;

use crate::{
    guest::{Guest, show},
    shell::sh,
    volume::Volume,
};

/// What happened between the kernel's announcement of a disk and the driver that opens it.
struct Sight {
    /// Negative, if the disk could be opened before it was announced.
    millis: f64,
    /// Waits that ran out in between, and sleeps.
    idle: usize,
}

#[test]
fn a_disk_is_taken_when_the_kernel_announces_it() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    let mut sights: Vec<_> = (0..ROUNDS).map(|_| sight(&volume, &device)).collect();
    // A wait may run out at just that moment.
    let by_event = sights.iter().filter(|it| it.idle == 0).count();
    assert!(by_event > ROUNDS / 2, "only {by_event} of {ROUNDS} by event");
    sights.sort_by(|one, other| one.millis.total_cmp(&other.millis));
    let millis: Vec<_> = sights.iter().map(|it| format!("{:.1}", it.millis)).collect();
    let millis = millis.join(", ");
    show(&format!("FIGURE from the kernel's event to the disk's node: {millis} ms"));
    show(&format!("FIGURE of {ROUNDS} times {by_event} without a sleep or a wait that ran out"));
}

/// Logs in and out, and looks at the kernel's trace of it.
fn sight(volume: &Volume<'_>, device: &str) -> Sight {
    sh(TRACE);
    success(&volume.wait(device));
    let trace = sh(&format!("echo 0 >{TRACING}/tracing_on; grep -v '^#' {TRACING}/trace"));
    let disk = Volume::disk(device);
    success(&volume.unmount());
    let seconds = |line: &str| {
        // COMMAND-PID [CPU] FLAGS SECONDS: EVENT
        let (before, _) = line.split_once(": ").unwrap();
        before.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let lines: Vec<_> = trace.lines().collect();
    // KOBJ_ADD; no other disk comes meanwhile
    let announced =
        lines.iter().position(|it| it.contains("announced: ") && it.contains("action=0"));
    let opened = format!("file=\"/dev/{disk}\"");
    // It is opened several times; the last is the one that is kept.
    let opened = lines.iter().rposition(|it| it.contains(&opened) && it.contains("opens"));
    let (Some(announced), Some(opened)) = (announced, opened) else { panic!("{trace}") };
    let between = lines.get(announced..opened).unwrap_or_default();
    let is_idle = |line: &&&str| line.contains("nanosleep") || line.contains("poll -> 0x0");
    let idle = between.iter().filter(is_idle).count();
    let millis = (seconds(lines[opened]) - seconds(lines[announced])) * 1000.0;
    Sight { millis, idle }
}

const ROUNDS: usize = 7;
const TRACING: &str = "/sys/kernel/tracing";
const TRACE: &str = r#"
    mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
    cd /sys/kernel/tracing
    echo 0 >tracing_on; echo 0 >events/enable; echo >trace; echo mono >trace_clock
    echo 'p:announced disk_uevent action=$arg2:u32' >kprobe_events
    echo 'p:opens do_sys_openat2 file=+0($arg2):ustring' >>kprobe_events
    for it in kprobes/opens syscalls/sys_exit_poll syscalls/sys_exit_ppoll \
        syscalls/sys_enter_clock_nanosleep syscalls/sys_enter_nanosleep
    do
        echo 'comm == "oci"' >events/$it/filter; echo 1 >events/$it/enable
    done
    echo 1 >events/kprobes/announced/enable
    echo 1 >tracing_on"#;
