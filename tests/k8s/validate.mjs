// Reads custom resources as a JSON list and prints what their models have against each, as a list of its own.
import { Gateway } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/Gateway";
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { PrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule";
import { IngressRoute } from "@kubernetes-models/traefik/traefik.io/v1alpha1/IngressRoute";
import { Middleware } from "@kubernetes-models/traefik/traefik.io/v1alpha1/Middleware";
import { ServersTransport } from "@kubernetes-models/traefik/traefik.io/v1alpha1/ServersTransport";

const models = [Gateway, HTTPRoute, IngressRoute, Middleware, PodMonitor, PrometheusRule, ServersTransport];

let given = "";
for await (const chunk of process.stdin) given += chunk;

const problems = [];
for (const resource of JSON.parse(given)) {
  const model = models.find((each) => each.apiVersion === resource.apiVersion && each.kind === resource.kind);
  if (!model) {
    problems.push(`${resource.apiVersion} ${resource.kind}: there is no model of it`);
    continue;
  }
  try {
    await new model(resource).validate();
  } catch (error) {
    problems.push(`${resource.kind} ${resource.metadata?.name}: ${error.message}`);
  }
}
process.stdout.write(JSON.stringify(problems));
