import { describeForeignClient } from "./foreign-suite.ts";
import { preparePython } from "./python-program.ts";

describeForeignClient("Python", await preparePython());
