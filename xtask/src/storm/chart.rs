//! Requests and arrivals over time, as SVG.

use std::fmt::Write as _;

use testbed::Aftermath;

/// One panel below the other: bars of requests, answered and refused, and the line of arrivals.
pub(super) fn svg(storms: &[(&str, Aftermath)], per_second: u32) -> String {
    let end = storms.iter().flat_map(|(_, it)| &it.answers).map(|it| it.took.as_secs_f64());
    let scale = Scale {
        seconds: (end.fold(5.0_f64, f64::max) / 5.0).ceil() * 5.0,
        requests: storms.iter().map(|(_, it)| busiest(it)).max().unwrap_or(1).max(1) as f64,
        attaches: storms.iter().map(|(_, it)| it.answers.len()).max().unwrap_or(1) as f64,
        per_second: f64::from(per_second),
    };
    let height = PANEL * storms.len() as f64 + 10.0;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">
<rect width="{WIDTH}" height="{height}" fill="#fff"/>
"##
    );
    for (number, (name, storm)) in storms.iter().enumerate() {
        let _ = writeln!(svg, r#"<g transform="translate(0 {})">"#, PANEL * number as f64);
        panel(&mut svg, name, storm, &scale);
        svg.push_str("</g>\n");
    }
    svg + "</svg>\n"
}

/// The same for all panels, so that they can be compared.
struct Scale {
    seconds: f64,
    /// In a slot of time.
    requests: f64,
    attaches: f64,
    per_second: f64,
}

impl Scale {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.seconds * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, requests: f64) -> f64 {
        BOTTOM - requests / self.requests * (BOTTOM - TOP)
    }
}

fn panel(svg: &mut String, name: &str, storm: &Aftermath, scale: &Scale) {
    let (right, limit) = (WIDTH - RIGHT, scale.y(scale.per_second * SLOT));
    let width = scale.x(SLOT) - scale.x(0.0) - 1.0;
    for (slot, (answered, refused)) in slots(storm).into_iter().enumerate() {
        let x = scale.x(slot as f64 * SLOT);
        let middle = scale.y(answered as f64);
        let top = scale.y((answered + refused) as f64);
        bar(svg, x, width, middle, BOTTOM, "#2f6f9f");
        bar(svg, x, width, top, middle, "#e3a857");
    }
    let mut took: Vec<f64> =
        storm.answers.iter().filter(|it| it.is_success()).map(|it| it.took.as_secs_f64()).collect();
    took.sort_unstable_by(f64::total_cmp);
    let points: String = took
        .iter()
        .enumerate()
        .map(|(count, took)| {
            let y = BOTTOM - (count + 1) as f64 / scale.attaches * (BOTTOM - TOP);
            format!("{:.1},{y:.1} ", scale.x(*took))
        })
        .collect();
    let _ = write!(
        svg,
        r##"<polyline points="{:.1},{BOTTOM} {points}" fill="none" stroke="#1b7f3b" stroke-width="2"/>
<line x1="{LEFT}" y1="{limit:.1}" x2="{right}" y2="{limit:.1}" stroke="#999" stroke-dasharray="4 3"/>
<line x1="{LEFT}" y1="{BOTTOM}" x2="{right}" y2="{BOTTOM}" stroke="#333"/>
<text x="{LEFT}" y="20" font-size="14">{name}</text>
<text x="{right}" y="20" text-anchor="end"><tspan fill="#2f6f9f">■ answered</tspan> <tspan fill="#b9791b">■ 429</tspan> <tspan fill="#1b7f3b">― attaches arrived</tspan> <tspan fill="#777">┄ what the cloud answers</tspan></text>
<text x="{}" y="{TOP}" text-anchor="end">{:.0}/s</text>
<text x="{}" y="{limit:.1}" text-anchor="end">{:.0}/s</text>
<text x="{}" y="{TOP}">{:.0}</text>
"##,
        scale.x(0.0),
        LEFT - 6.0,
        scale.requests / SLOT,
        LEFT - 6.0,
        scale.per_second,
        right + 6.0,
        scale.attaches,
    );
    for second in (0..).map(|it| f64::from(it) * 5.0).take_while(|it| *it <= scale.seconds) {
        let (x, y) = (scale.x(second), BOTTOM + 16.0);
        let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y}" text-anchor="middle">{second} s</text>"#);
    }
}

fn bar(svg: &mut String, x: f64, width: f64, top: f64, bottom: f64, colour: &str) {
    let height = bottom - top;
    if height > 0.0 {
        let _ = writeln!(
            svg,
            r#"<rect x="{x:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
        );
    }
}

/// Requests in each slot of time: answered, refused.
fn slots(storm: &Aftermath) -> Vec<(usize, usize)> {
    let mut slots = Vec::new();
    for it in &storm.requests {
        let slot = (it.at.as_secs_f64() / SLOT) as usize;
        slots.resize(slots.len().max(slot + 1), (0, 0));
        if let Some((answered, refused)) = slots.get_mut(slot) {
            *(if it.is_refused { refused } else { answered }) += 1;
        }
    }
    slots
}

fn busiest(storm: &Aftermath) -> usize {
    slots(storm).into_iter().map(|(answered, refused)| answered + refused).max().unwrap_or(0)
}

/// In seconds.
const SLOT: f64 = 0.25;
const WIDTH: f64 = 900.0;
const PANEL: f64 = 260.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 50.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 220.0;
