//! How soon the disk of a login is found: the page's part, from what a case of the virtual machine measures.

use anyhow::Result;

use crate::{
    checkout::Checkout,
    performance::{self, LOGIN, Part},
    vm,
};

use super::machine::Machine;

/// Measures it and writes the part.
pub(super) fn write(checkout: &Checkout) -> Result<()> {
    let machine = Machine::look(&checkout.sh)?;
    let figures: String =
        vm::figures(checkout, CASE)?.iter().map(|line| format!("- {line}\n")).collect();
    let date = &machine.date;
    let text = format!(
        "{LOGIN}\n\n\
         waitforattach does not look again and again for its disk: it listens to the kernel, and should have the\n\
         disk found within 50 ms of the kernel's event. Measured in the kernel's own trace, from `disk_uevent`\n\
         to the last time that the driver opens the disk, on real iSCSI:\n\n\
         {figures}\n\
         The virtual machine is emulated, which makes everything some ten times slower; that no sleep and no wait\n\
         that ran out lies in between is what counts. `cargo xtask bench --login` repeats it; last on {date}, on\n\
         this machine: {machine}.\n"
    );
    println!("\n{text}");
    performance::write(checkout, Part::Login, &text)
}

const CASE: &str = "event::a_disk_is_taken_when_the_kernel_announces_it";
