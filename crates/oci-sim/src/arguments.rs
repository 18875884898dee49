//! The command line of the program.

use std::path::PathBuf;

use clap::Parser;
use oci_sim::{Config, Delay, NewInstance, NewVolume};

/// A simulated Oracle cloud on this machine: compute and block volumes, with real disks if you like.
///
/// It listens on loopback only, prints what a client needs, and then one line per request. Any client for Oracle's cloud can
/// use it with nothing but the endpoint changed. Everything is in memory and gone when it stops (Ctrl-C).
///
///   oci-sim --instance node-1 --volume data=50
///
/// starts a cloud with one instance and one volume of 50 GiB.
#[derive(Debug, Parser)]
#[command(name = "oci-sim", version, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Port of HTTPS; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    https_port: u16,
    /// Port of HTTP, with the metadata service; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    http_port: u16,
    /// An instance, for example node-1 or node-1,hostname=n1,ip=10.0.0.7,public-ip=192.0.2.7,ad=2; repeat for more
    #[arg(long = "instance", value_name = "NAME[,KEY=VALUE...]", value_parser = instance)]
    pub(crate) instances: Vec<NewInstance>,
    /// A volume with its size in GiB or with a unit, for example data=50 or small=300M; repeat for more
    #[arg(long = "volume", value_name = "NAME=SIZE", value_parser = volume)]
    pub(crate) volumes: Vec<NewVolume>,
    /// How long an attachment is ATTACHING: a time (3s, 500ms), or a number of polls (4 polls)
    #[arg(long, value_name = "DELAY", default_value = "1s")]
    attach_delay: Delay,
    /// How long an attachment is DETACHING
    #[arg(long, value_name = "DELAY", default_value = "1s")]
    detach_delay: Delay,
    /// How long a volume is PROVISIONING or TERMINATING
    #[arg(long, value_name = "DELAY", default_value = "1s")]
    volume_delay: Delay,
    /// Elements on a page of a list
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    page_size: usize,
    /// Instances, volumes and faults from a JSON file (see testdata/script.json)
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Make real disks of paravirtualized attachments, with the volumes' files in this folder (needs root)
    #[arg(long, value_name = "DIR")]
    disk_folder: Option<PathBuf>,
    /// Write the API key, the CA certificate and ready configuration files here; otherwise into a temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) write_credentials: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn config(&self) -> Config {
        Config {
            https_port: self.https_port,
            http_port: self.http_port,
            attach_delay: self.attach_delay,
            detach_delay: self.detach_delay,
            volume_delay: self.volume_delay,
            page_size: self.page_size.max(1),
            disk_folder: self.disk_folder.clone(),
            ..Config::default()
        }
    }
}

fn instance(text: &str) -> Result<NewInstance, String> {
    let mut parts = text.split(',');
    let display_name = parts.next().unwrap_or_default().to_owned();
    let mut instance = NewInstance { display_name, ..NewInstance::default() };
    for part in parts {
        let (key, value) =
            part.split_once('=').ok_or_else(|| format!("`{part}` is not KEY=VALUE"))?;
        let value = Some(value.to_owned());
        match key {
            "hostname" => instance.hostname_label = value,
            "ip" => instance.private_ip = value,
            "public-ip" => instance.public_ip = value,
            "ipv6" => instance.ipv6 = value,
            "id" => instance.id = value,
            "ad" => {
                instance.availability_domain = value.map(|number| format!("Uocm:PHX-AD-{number}"));
            }
            "devices" => instance.device_folder = value.map(PathBuf::from),
            _ => {
                return Err(format!(
                    "`{key}` is none of hostname, ip, public-ip, ipv6, id, ad, devices"
                ));
            }
        }
    }
    Ok(instance)
}

fn volume(text: &str) -> Result<NewVolume, String> {
    let error = || format!("`{text}` is not NAME=SIZE, such as data=50 or small=300M");
    let (name, size) = text.split_once('=').ok_or_else(error)?;
    let (number, shift) = match size.strip_suffix(['M', 'G', 'T']) {
        Some(number) if size.ends_with('M') => (number, 20),
        Some(number) if size.ends_with('T') => (number, 40),
        Some(number) => (number, 30),
        None => (size, 30),
    };
    let number: u64 = number.parse().map_err(|_| error())?;
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(error)?;
    let display_name = name.to_owned();
    let size_gb = bytes.div_ceil(1 << 30);
    Ok(NewVolume { display_name, size_gb, disk_bytes: Some(bytes), ..NewVolume::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_have_names_and_more() {
        let text = "node-1,hostname=n1,ip=10.0.0.7,public-ip=192.0.2.7,ipv6=fd00::7,id=ocid1.instance.x,ad=2,devices=/d";
        let instance = instance(text).unwrap();
        let expected = NewInstance {
            display_name: "node-1".into(),
            hostname_label: Some("n1".into()),
            private_ip: Some("10.0.0.7".into()),
            public_ip: Some("192.0.2.7".into()),
            ipv6: Some("fd00::7".into()),
            id: Some("ocid1.instance.x".into()),
            availability_domain: Some("Uocm:PHX-AD-2".into()),
            device_folder: Some("/d".into()),
            ..NewInstance::default()
        };
        assert_eq!(format!("{instance:?}"), format!("{expected:?}"));
        assert_eq!(super::instance("a,b").unwrap_err(), "`b` is not KEY=VALUE");
        assert_eq!(
            super::instance("a,b=c").unwrap_err(),
            "`b` is none of hostname, ip, public-ip, ipv6, id, ad, devices"
        );
    }

    #[test]
    fn volumes_have_sizes() {
        for (text, size_gb, bytes) in [
            ("a=50", 50, 50 << 30),
            ("a=300M", 1, 300 << 20),
            ("a=2T", 2048, 2 << 40),
            ("a=7G", 7, 7 << 30),
        ] {
            let volume = volume(text).unwrap();
            assert_eq!((volume.size_gb, volume.disk_bytes), (size_gb, Some(bytes)), "{text}");
        }
        for text in ["a", "a=", "a=x", "a=0", "a=5K", "a=16777217T"] {
            let error = format!("`{text}` is not NAME=SIZE, such as data=50 or small=300M");
            assert_eq!(volume(text).unwrap_err(), error);
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
