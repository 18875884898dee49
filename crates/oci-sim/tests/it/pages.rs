//! Long lists come in pages.

use oci_sim::{Config, Effect, Fault, NewVolume};

use crate::client::{Answer, Scene, add_instance};

/// Follows `opc-next-page`, as a client must; the values of a field, and how many pages there were.
fn all(scene: &Scene, path: &str, field: &str) -> (Vec<String>, usize) {
    let (mut values, mut pages, mut answer) = (Vec::new(), 1, scene.get(path));
    loop {
        let items = answer.body.as_array().unwrap_or_else(|| panic!("{answer:?}")).iter();
        values.extend(items.map(|item| item[field].as_str().unwrap().to_owned()));
        let Some(token) = next(&answer) else { return (values, pages) };
        let token = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        answer = scene.get(&format!("{path}&page={token}"));
        pages += 1;
    }
}

fn next(answer: &Answer) -> Option<String> {
    answer.header("opc-next-page").map(str::to_owned)
}

#[test]
fn all_pages_make_the_whole_list() {
    for (size, pages) in [(1, 8), (2, 4), (3, 3), (7, 2), (8, 1), (100, 1)] {
        let scene = Scene::new(Config { page_size: size, ..Config::default() });
        (2..=8).for_each(|number| drop(add_instance(&scene.sim, &format!("node-{number}"))));
        let path = format!("instances?compartmentId={}", scene.sim.compartment());
        let expected: Vec<String> = (1..=8).map(|number| format!("node-{number}")).collect();
        assert_eq!(all(&scene, &path, "displayName"), (expected, pages));
        assert_eq!(all(&scene, &path.replace("instances", "vnicAttachments"), "id").0.len(), 8);
        assert_eq!(
            all(&scene, &format!("instances/{}/devices?sortBy=NAME", scene.instance), "name")
                .0
                .len(),
            32
        );
    }
}

#[test]
fn tokens_need_escapes() {
    let scene = Scene::new(Config { page_size: 1, ..Config::default() });
    scene.sim.add_volume(NewVolume::default());
    let token =
        next(&scene.get(&format!("volumes?compartmentId={}", scene.sim.compartment()))).unwrap();
    assert!(token.contains('+') && token.contains('/') && token.contains('='), "{token}");
}

#[test]
fn a_page_may_be_empty_before_the_last() {
    let scene = Scene::new(Config::default());
    scene.attach();
    scene.sim.fail(Fault::new("ListVolumeAttachments", 1, Effect::EmptyPage));
    let path = format!("volumeAttachments?compartmentId={}", scene.sim.compartment());
    let (found, pages) = all(&scene, &path, "id");
    assert_eq!((found.len(), pages), (1, 2));
}

#[test]
fn nothing_is_lost_when_the_list_changes_between_pages() {
    let scene = Scene::new(Config {
        page_size: 2,
        keep_gone: std::time::Duration::ZERO,
        ..Config::default()
    });
    let volumes: Vec<String> = (0..5).map(|_| scene.sim.add_volume(NewVolume::default())).collect();
    let path = format!("volumes?compartmentId={}", scene.sim.compartment());
    let first = scene.get(&path);
    scene.delete(&format!("volumes/{}", volumes[0]));
    let token = next(&first).unwrap().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let second = scene.get(&format!("{path}&page={token}"));
    assert_eq!(second.body[0]["id"], volumes[1]);
}

#[test]
fn a_list_may_be_another_one_than_was_asked_for() {
    let scene = Scene::new(Config { page_size: 2, ..Config::default() });
    (2..=4).for_each(|number| drop(add_instance(&scene.sim, &format!("node-{number}"))));
    let path = format!("instances?compartmentId={}", scene.sim.compartment());
    let names = |path: &str| all(&scene, path, "displayName").0;
    scene.sim.fail(Fault::new("ListInstances", 1, Effect::Unfiltered));
    assert_eq!(names(&format!("{path}&displayName=node-2")), ["node-1", "node-2"]);
    scene.sim.clear_faults();
    scene.sim.fail(Fault::new("ListInstances", 2, Effect::PageSkips));
    assert_eq!(names(&path), ["node-1", "node-2", "node-4"]);
    let value = "same".into();
    scene.sim.fail(Fault::new(
        "ListInstances",
        1..,
        Effect::Field { name: "displayName".into(), value },
    ));
    assert_eq!(names(&path), ["same"; 4]);
}
