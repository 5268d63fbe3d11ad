using Xunit.Runner.InProc.SystemConsole;

namespace Rcmp.Tests.Workers;

/// <summary>The test executable: xunit's runner, or, started by a test, a client process to be killed, stopped and counted on, or a node that ends itself at a step.</summary>
public static class TestProgram
{
    public static Task<int> Main(string[] args)
    {
        ArgumentNullException.ThrowIfNull(args);
        return args switch
        {
            [WorkerProtocol.Switch, var configuration] => Worker.RunAsync(configuration),
            [StepNode.Switch, .. var command] => StepNode.RunAsync(command),
            _ => ConsoleRunner.Run(args),
        };
    }
}
