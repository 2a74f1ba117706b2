"""The value of a service link in a failure is explained where service links are on."""

from __future__ import annotations

from seatrial.model.environment_facts import Trait, Variable

from comparison.recorded_sides import container, explained, fact, facts

LINK = "ValueError: invalid literal for int(): 'tcp://10.96.0.7:5432'"


def test_value_of_a_service_link_in_the_log_is_explained():
    linked = facts(container(service_links=True))
    explanation = explained("500", left_facts=linked, right_facts=linked, logs={"web-1/c": f"boot\n{LINK}"})

    assert explanation.rule == "service-links"
    assert explanation.evidence == (f"log of web: {LINK}", "service links are on in web")


def test_the_same_text_is_not_explained_where_service_links_are_off():
    assert explained(LINK) is None


def test_setting_and_variable_are_explained():
    assert fact(facts(), facts(container(service_links=True)), "service-links").explanation.rule == "service-links"
    value = Variable(fingerprint="33", traits=(Trait.SERVICE_LINK,))
    difference = fact(facts(), facts(container(variables={"DB_PORT": value})), "variable")
    assert difference.explanation.cause == "variable web DB_PORT was set by Kubernetes for a Service in after"
