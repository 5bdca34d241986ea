export interface Good {
  id: number;
  name: string;
  note: string;
  price: number;
  hue: number;
}

export interface Order {
  id: number;
  good: string;
  state: "open" | "taken" | "done";
}

export interface Shelf {
  greeting: string;
  goods: Good[];
}

async function asked<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await fetch(`/api${path}`, init);
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as T;
}

export const shelf = () => asked<Shelf>("/goods");
export const orders = () => asked<Order[]>("/orders");
export const order = (good: number) =>
  asked<{ id: number }>("/orders", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ good }),
  });
