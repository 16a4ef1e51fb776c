//! From which debt on an account is paid.

use super::*;

#[test]
fn the_books_minimum_comes_before_the_configurations() {
    let mut scene = Scene::new();
    let work = round(&[("a", 1), ("b", 1), ("x", 1)]);
    scene.book().take_in(&found(1, 100), &work, 100).unwrap();
    scene.mature(1, 0, 200);
    let each = 1_666_666_666;
    let due = |scene: &mut Scene, minimums: &Minimums| -> Vec<String> {
        let due = scene.book().due(minimums.clone()).unwrap();
        due.into_iter().map(|due| due.name).collect()
    };
    let mut minimums = Minimums::from(Amount(each + 10));
    assert_eq!(due(&mut scene, &minimums), Vec::<String>::new());
    // The configuration lowers it for one.
    minimums.by_script.insert(vec![1], Amount(each));
    assert_eq!(due(&mut scene, &minimums), ["a"]);
    // The book's own is higher than that, and lower for the other one.
    assert!(scene.book().set_minimum("a", Some(Amount(each + 2)), 300).unwrap());
    assert!(scene.book().set_minimum("b", Some(Amount(1)), 300).unwrap());
    assert_eq!(due(&mut scene, &minimums), ["b"]);
    assert_eq!(scene.book().minimum("a").unwrap(), Some(Amount(each + 2)));
    scene.reopen();
    assert_eq!(due(&mut scene, &minimums), ["b"]);
    assert!(scene.book().set_minimum("a", None, 400).unwrap());
    assert_eq!(scene.book().minimum("a").unwrap(), None);
    assert_eq!(due(&mut scene, &minimums), ["a", "b"]);
    // One that has not earned, one that nothing can be paid to, and no minimum at all.
    assert!(!scene.book().set_minimum("c", Some(Amount(1)), 400).unwrap());
    assert!(!scene.book().set_minimum("?x", Some(Amount(1)), 400).unwrap());
    assert!(scene.book().set_minimum("a", Some(Amount(0)), 400).is_err());
    // What is set aside is not paid, whatever its minimum.
    scene.book().hold("b", Some("by hand"), 500).unwrap();
    assert_eq!(due(&mut scene, &minimums), ["a"]);
    let trace = "SELECT COUNT(*) FROM trace WHERE words LIKE 'its minimum is%'";
    let count: i64 = scene.book().connection.query_row(trace, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 3);
    scene.balanced();
}
