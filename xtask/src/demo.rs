//! `cargo xtask demo`: a volume's whole life, on two nodes of a simulated cloud.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use testbed::{Answer, Cluster, Place, Setup};
use xshell::cmd;

use crate::{
    checkout::Checkout,
    prerequisites::{self, DISKS},
    progress::quietly,
};

/// Show the main job from end to end: a new volume on one node, then on another, with its data
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File system of the volume: ext4, ext3 or xfs
    #[arg(long, default_value = "ext4")]
    fs_type: String,
}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        prerequisites::require_root(&checkout.sh, "the demo mounts real disks")?;
        prerequisites::provide(&checkout.sh, DISKS)?;
        let binary = quietly("build the driver", || build(checkout))?;
        let setup = Setup {
            disk_bytes: None,
            attach_delay: ATTACH_DELAY,
            detach_delay: DETACH_DELAY,
            ..Setup::default()
        };
        let cluster = quietly("start the cloud and two nodes", || Cluster::start(&binary, &setup))?;
        introduce(&cluster);
        let mut demo = Demo { cluster: &cluster, fs_type: &self.fs_type, step: 0 };
        demo.play().context("the demo did not get to its end")
    }
}

/// The release binary, as it is shipped but for the C library.
pub(crate) fn build(checkout: &Checkout) -> Result<PathBuf> {
    let sh = &checkout.sh;
    let build = cmd!(sh, "cargo build --locked --release --quiet --package driver --bin oci");
    checkout.afresh(build).quiet().run()?;
    Ok(checkout.target().join("release/oci"))
}

fn introduce(cluster: &Cluster) {
    let (attach, detach) = (ATTACH_DELAY.as_secs_f64(), DETACH_DELAY.as_secs_f64());
    println!();
    println!("  cloud   {}  checks every signature", cluster.sim.endpoint());
    println!("          attaching takes it {attach} s, detaching {detach} s");
    println!("  volume  {}  50 GiB, new", cluster.volume);
    println!("  nodes   node-1, node-2  each with mounts of its own and real block devices");
    println!();
}

struct Demo<'a> {
    cluster: &'a Cluster,
    fs_type: &'a str,
    step: u32,
}

impl Demo<'_> {
    fn play(&mut self) -> Result<()> {
        let cluster = self.cluster;
        let controller = cluster.controller();
        let volume = cluster.volume_name();
        self.succeed("What can the driver do?", &controller, &["init"])?;

        let uuid = self.use_on(1, |demo, pod| {
            let place = demo.cluster.node(1);
            let script = format!("echo '{LETTER}' > {pod}/letter");
            demo.tool("The pod writes", &place, &["sh", "-c", &script])?;
            let options = demo.options();
            demo.refuse(
                "Attach to node-2 meanwhile: refused, never taken away from node-1",
                &demo.cluster.controller(),
                &["attach", &options, "node-2"],
            )
        })?;
        let options = self.options();
        let attached = self.succeed(
            "Is it still on node-1?",
            &controller,
            &["isattached", &options, "node-1"],
        )?;
        ensure!(attached.text.contains("\"attached\":false"), "{}", attached.text);
        self.succeed(
            "Detached once more: nothing to do",
            &controller,
            &["detach", volume, "node-1"],
        )?;

        let mut read = String::new();
        let same = self.use_on(2, |demo, pod| {
            let place = demo.cluster.node(2);
            read = demo.tool("The pod reads", &place, &["cat", &format!("{pod}/letter")])?;
            Ok(())
        })?;
        ensure!(read.trim_end() == LETTER, "the letter has changed: {read}");
        ensure!(uuid == same, "the file system was made anew: {uuid}, then {same}");
        self.conclude(&uuid)
    }

    /// One node's part of the life: from attach to detach, with `work` in the middle.
    fn use_on(
        &mut self,
        number: usize,
        work: impl FnOnce(&mut Self, &str) -> Result<()>,
    ) -> Result<String> {
        let cluster = self.cluster;
        let (controller, kubelet) = (cluster.controller(), cluster.node(number));
        let (name, options) = (format!("node-{number}"), self.options());
        let dir = cluster.global_mount(number);
        let dir = dir.to_str().context("temporary folders are UTF-8")?;
        println!("── {name} ──────────────────────────────────────────────────────────────────\n");

        let what = format!("kube-controller-manager attaches the volume to {name}");
        let attached = self.succeed(&what, &controller, &["attach", &options, &name])?;
        let device = attached.field("device").context("attach tells a device")?;
        self.succeed(
            "kubelet waits for the disk",
            &kubelet,
            &["waitforattach", &device, &options],
        )?;
        let what = match number {
            1 => "kubelet mounts it: nothing is found on the disk, it is formatted and mounted",
            _ => "kubelet mounts it: the disk holds a file system, so it is checked and mounted",
        };
        self.succeed(what, &kubelet, &["mountdevice", dir, &device, &options])?;
        let uuid = output(&kubelet, &["blkid", "-p", "-o", "value", "-s", "UUID", &device])?;
        let pod = cluster.pod_mount(number);
        let pod = pod.to_str().context("temporary folders are UTF-8")?;
        output(&kubelet, &["mkdir", "-p", pod])?;
        self.tool("kubelet binds it into the pod", &kubelet, &["mount", "--bind", dir, pod])?;
        work(self, pod)?;

        self.tool("The pod is deleted", &kubelet, &["umount", pod])?;
        self.succeed("kubelet unmounts it", &kubelet, &["unmountdevice", dir])?;
        let what = format!("kube-controller-manager detaches it from {name}");
        self.succeed(&what, &controller, &["detach", cluster.volume_name(), &name])?;
        Ok(uuid.trim().to_owned())
    }

    fn conclude(&self, uuid: &str) -> Result<()> {
        let sim = &self.cluster.sim;
        let violations = sim.violations();
        ensure!(violations.is_empty(), "{}", violations.join("; "));
        println!(
            "──────────────────────────────────────────────────────────────────────────────\n"
        );
        println!("What was proven");
        println!("  ✓ what was written on node-1 was read on node-2");
        println!("  ✓ the disk was formatted once: file system {uuid} on both nodes");
        println!("  ✓ no disk was taken away while it was mounted, nor from a node that had it");
        println!("  ✓ every answer was one JSON object, and every repetition a success");
        println!("  ✓ the cloud verified {} signed requests", sim.requests().len());
        Ok(())
    }

    fn options(&self) -> String {
        self.cluster.options(&[("kubernetes.io/fsType", self.fs_type)])
    }

    fn succeed(&mut self, what: &str, place: &Place<'_>, args: &[&str]) -> Result<Answer> {
        let answer = self.call(what, place, args)?;
        ensure!(answer.is_success(), "{}: {}", args[0], answer.text.trim());
        Ok(answer)
    }

    fn refuse(&mut self, what: &str, place: &Place<'_>, args: &[&str]) -> Result<()> {
        let answer = self.call(what, place, args)?;
        ensure!(answer.field("status").as_deref() == Some("Failure"), "{}", answer.text);
        Ok(())
    }

    fn call(&mut self, what: &str, place: &Place<'_>, args: &[&str]) -> Result<Answer> {
        let shown: Vec<_> = args.iter().map(|arg| self.short(arg)).collect();
        self.begin(what, &format!("oci {}", shown.join(" ")));
        let answer = place.call(args)?;
        println!("      {}", self.short(answer.text.trim()));
        self.end(answer.took);
        Ok(answer)
    }

    fn tool(&mut self, what: &str, place: &Place<'_>, command: &[&str]) -> Result<String> {
        let shown: Vec<_> = command.iter().map(|arg| self.short(arg)).collect();
        self.begin(what, &shown.join(" "));
        let text = output(place, command)?;
        if !text.is_empty() {
            println!("      {}", text.trim_end());
        }
        println!();
        Ok(text)
    }

    fn begin(&mut self, what: &str, command: &str) {
        self.step += 1;
        println!("{:3}. {}", self.step, strong(what));
        println!("      $ {command}");
    }

    fn end(&self, took: Duration) {
        println!("      {}\n", faint(&format!("{:.0} ms", took.as_secs_f64() * 1e3)));
    }

    /// OCIDs, options and folders as short as a reader needs them.
    fn short(&self, text: &str) -> String {
        if text.starts_with("{\"attachmentType") {
            return "'{…}'".into();
        }
        let cluster = self.cluster;
        let name = cluster.volume_name();
        let short_name = format!("{}…", name.get(..6).unwrap_or(name));
        let mut text = text.to_owned();
        for number in [1, 2] {
            for place in [cluster.global_mount(number), cluster.pod_mount(number)] {
                let (whole, kind) = (place.display().to_string(), place.parent());
                let kind = kind.and_then(Path::file_name).unwrap_or_default().display();
                text = text.replace(&whole, &format!("…/{kind}/{name}"));
            }
        }
        text.replace(name, &short_name)
    }
}

/// What a program of the node prints.
fn output(place: &Place<'_>, command: &[&str]) -> Result<String> {
    let (program, args) = command.split_first().context("a command has a program")?;
    let output = place.tool(Path::new(program)).args(args).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {}", stderr.trim());
    Ok(String::from_utf8(output.stdout)?)
}

fn strong(text: &str) -> String {
    if io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.into() }
}

fn faint(text: &str) -> String {
    if io::stdout().is_terminal() { format!("\x1b[2m{text}\x1b[0m") } else { text.into() }
}

// Long enough to be seen, short enough to be watched twice.
const ATTACH_DELAY: Duration = Duration::from_millis(1200);
const DETACH_DELAY: Duration = Duration::from_millis(800);
const LETTER: &str = "Dear node-2, if you can read this, nothing was lost.";
