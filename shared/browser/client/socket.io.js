// The stock client. In a page without a build step the emitter serves it by this very name.
export { io } from "socket.io-client";
