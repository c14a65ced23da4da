/**
 * Networks in the browser: a graph of torch's own operators, evaluated on the numbers of a model.
 *
 * A graph is what `isthmus.explorer.graph` writes: `{inputs: [shape, …], nodes: [{name, op, args}], outputs}`,
 * where an argument is a number, a list, null, `{tensor: name}`, or `{number: word}` of an infinite one. Weights lie in one
 * buffer.
 * Every tensor is row-major and as dense as it looks; one example at a time is evaluated.
 */

import { OPERATORS } from "./operators.js";
import { Tensor } from "./tensors.js";

/** The operators that a graph may hold; the page asks before it offers a live model. */
export function knows(graph) {
  return graph.nodes.every((node) => node.op in OPERATORS);
}

/** What a graph makes of its inputs, each a flat list of numbers, with weights: a list of tensors. */
export function evaluate(graph, weights, ...inputs) {
  const { nodes, constants } = folded(graph, weights);
  const known = new Map(constants);
  graph.inputs.forEach((shape, i) => known.set(`input ${i}`, new Tensor(Float32Array.from(inputs[i]), shape)));
  for (const node of nodes) known.set(node.name, applied(node, known));
  return graph.outputs.map((name) => known.get(name));
}

const FOLDED = new WeakMap();

/** What depends on the weights alone, which is computed once, and the nodes that are left. */
function folded(graph, weights) {
  if (!FOLDED.has(weights)) FOLDED.set(weights, new Map());
  const known = FOLDED.get(weights);
  if (!known.has(graph)) {
    const constants = new Map(Object.entries(weights));
    const nodes = graph.nodes.filter((node) => {
      if (!tensorsIn(node.args).every((name) => constants.has(name))) return true;
      constants.set(node.name, applied(node, constants));
      return false;
    });
    known.set(graph, { nodes, constants });
  }
  return known.get(graph);
}

function applied({ op, args }, known) {
  const find = (value) => {
    if (Array.isArray(value)) return value.map(find);
    if (value === null || typeof value !== "object") return value;
    return "tensor" in value ? known.get(value.tensor) : Number(value.number);
  };
  return OPERATORS[op](...args.map(find));
}

function tensorsIn(value) {
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  return value !== null && typeof value === "object" && "tensor" in value ? [value.tensor] : [];
}
