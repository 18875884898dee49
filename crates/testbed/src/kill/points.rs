//! The moments at which a call can be killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use anyhow::{Result, bail, ensure};

use super::Stage;
use crate::{Answer, run};

/// A moment at which the driver, or a program that it runs, is killed.
#[derive(Debug)]
pub enum Point {
    /// The driver enters a system call.
    Call(SystemCall),
    /// The driver, when it has started its n-th program, which does its work all the same.
    Before(usize),
    /// The driver and its n-th program.
    Instead(usize),
    /// The driver, when its n-th program has done its work.
    After(usize),
    /// The n-th program, when it enters a system call.
    Within(usize, SystemCall),
}

/// A process's n-th system call of that name; of those that open, only files are counted that the
/// process may create.
#[derive(Debug)]
pub struct SystemCall {
    name: String,
    at: usize,
}

/// Every point of a call, and the files that it may create.
#[derive(Debug)]
pub struct Points {
    /// In the order in which an unbroken call goes through them, program by program.
    pub all: Vec<Point>,
    created: Vec<String>,
}

impl Points {
    /// What an unbroken call on `stage` goes through.
    ///
    /// # Errors
    /// The call fails, or cannot be traced.
    pub fn of(stage: &impl Stage) -> Result<Self> {
        let tools = stage.tools();
        tools.plan("at=all")?;
        let tracing = tracer(stage, &[format!("trace={WRITES},openat")]);
        let answer = run(stage.call(&tracing))?;
        let is_said = stage.must_say().is_some_and(|it| answer.message().contains(it));
        ensure!(answer.is_success() != is_said, "{answer:?}");

        let trace = tools.trace(0)?;
        let created: BTreeSet<_> =
            trace.lines().filter(|it| it.contains("O_CREAT")).filter_map(opened).collect();
        let counts = trace.lines().filter(|it| opened(it).is_none_or(|it| created.contains(it)));
        let mut all: Vec<_> = system_calls(counts).map(Point::Call).collect();
        for start in 1..=tools.starts()? {
            all.extend([Point::Before(start), Point::Instead(start), Point::After(start)]);
            let trace = tools.trace(start)?;
            all.extend(system_calls(trace.lines()).map(|call| Point::Within(start, call)));
        }
        Ok(Self { all, created: created.into_iter().map(str::to_owned).collect() })
    }

    /// All points but those within programs, and one in `step` of these.
    pub fn chosen(&self, step: usize) -> Vec<&Point> {
        let mut within = 0..;
        let is_taken = |point: &&Point| {
            !matches!(point, Point::Within(..)) || within.next().is_some_and(|at| at % step == 0)
        };
        self.all.iter().filter(is_taken).collect()
    }

    /// Kills the call at `point`; the same call again then reaches `end`, with the data whole.
    ///
    /// # Errors
    /// The point was not reached, the second call fails, or its end is another.
    pub fn check(&self, point: &Point, stage: &impl Stage, end: &str) -> Result<()> {
        stage.reset();
        let killed = self.reach(point, stage)?;
        let (again, said) = again(stage, &killed)?;
        ensure!(again.is_success(), "killed at {point:?}: {again:?}");
        ensure!(said, "killed at {point:?}: no reply told it");
        let found = stage.end();
        ensure!(found == end, "killed at {point:?}: the end is\n{found}\nand not\n{end}");
        stage.check_data();
        Ok(())
    }

    /// Makes the call and kills it at `point`; what it has said.
    fn reach(&self, point: &Point, stage: &impl Stage) -> Result<Answer> {
        let tools = stage.tools();
        let mut tracing = Vec::new();
        let plan = match point {
            Point::Call(call) => {
                tracing = tracer(stage, &[format!("trace={}", call.name), call.kill()]);
                if call.name == "openat" {
                    tracing.extend(self.created.iter().flat_map(|it| ["-P".into(), it.clone()]));
                }
                "at=0".into()
            }
            Point::Before(at) => format!("at={at} how=before"),
            Point::Instead(at) => format!("at={at} how=instead"),
            Point::After(at) => format!("at={at} how=after"),
            Point::Within(at, call) => format!("at={at} how=within kill={}", call.kill()),
        };
        tools.plan(&plan)?;
        let answer = run(stage.call(&tracing))?;
        let killed = match point {
            Point::Within(at, _) => tools.trace(*at)?.contains("+++ killed by SIGKILL +++"),
            _ => answer.code.is_none(),
        };
        ensure!(killed, "{point:?} was not reached: {answer:?}");
        tools.plan("at=0")?;
        Ok(answer)
    }
}

/// Calls again as kubelet does, until no other call is at work, and no program that the killed call has left
/// has the disk. The last answer, and whether one of them, or that of the killed call, has said what must be said.
fn again(stage: &impl Stage, killed: &Answer) -> Result<(Answer, bool)> {
    let must_say = stage.must_say();
    let mut said = must_say.is_none_or(|it| killed.text.contains(it));
    let mut in_use = 0;
    for _ in 0..REPETITIONS {
        let answer = run(stage.call(&[]))?;
        let message = answer.message();
        if must_say.is_some_and(|it| message.contains(it)) {
            said = true;
            continue;
        }
        if message.contains(" is in use") && in_use < 10 {
            in_use += 1;
            wait(Duration::from_millis(500));
        } else if !message.contains("is still running") {
            return Ok((answer, said));
        }
    }
    bail!("no call succeeds")
}

#[expect(clippy::disallowed_methods, reason = "waits for what a killed call has left running")]
fn wait(time: Duration) {
    thread::sleep(time);
}

impl SystemCall {
    fn kill(&self) -> String {
        format!("inject={}:signal=SIGKILL:when={}", self.name, self.at)
    }
}

fn tracer(stage: &impl Stage, expressions: &[String]) -> Vec<String> {
    let trace = stage.tools().trace_path(0).display().to_string();
    let mut words = ["strace", "-q", "-o", &trace].map(String::from).to_vec();
    words.extend(expressions.iter().flat_map(|it| ["-e".into(), it.clone()]));
    words
}

/// The system calls that `trace` shows, but for those without an effect outside the process.
fn system_calls<'a>(trace: impl Iterator<Item = &'a str>) -> impl Iterator<Item = SystemCall> {
    let mut counts = BTreeMap::new();
    trace.filter_map(move |line| {
        // Signals and the end look otherwise.
        let name = line.split_once('(')?.0;
        let count = counts.entry(name).or_insert(0_usize);
        *count += 1;
        let unseen =
            SAID.iter().any(|it| line.starts_with(it)) || WITHIN.iter().any(|it| line.contains(it));
        (!unseen).then(|| SystemCall { name: name.into(), at: *count })
    })
}

/// The path that an `openat` opens.
fn opened(line: &str) -> Option<&str> {
    line.starts_with("openat(").then(|| line.split('"').nth(1))?
}

const REPETITIONS: usize = 30;
/// What a program says is heard by its caller only.
const SAID: [&str; 4] = ["write(1,", "write(2,", "writev(1,", "writev(2,"];
/// Pipes that do not block, and threads, are the process's own.
const WITHIN: [&str; 2] = ["FIONBIO", "CLONE_THREAD"];

/// The system calls by which a process changes anything outside itself, and those by which it starts
/// a process or ends. A `?` goes before those that not every architecture has.
pub(super) const WRITES: &str = "write,writev,pwrite64,pwritev,pwritev2,sendfile,copy_file_range,\
    splice,fsync,fdatasync,sync,syncfs,sync_file_range,ftruncate,truncate,fallocate,\
    ?rename,renameat,?renameat2,?mkdir,mkdirat,?rmdir,?unlink,unlinkat,?link,linkat,?symlink,\
    symlinkat,?mknod,mknodat,?chmod,fchmod,fchmodat,?chown,fchown,fchownat,utimensat,setxattr,\
    fsetxattr,mount,umount2,fsopen,fsconfig,fsmount,fspick,move_mount,open_tree,mount_setattr,\
    ioctl,flock,connect,sendto,sendmsg,kill,?fork,?vfork,clone,clone3,exit_group";
