using Rcmp.Hosts.Cli;

return await RcmpProgram.RunAsync(args, CommandIo.OfProcess());
