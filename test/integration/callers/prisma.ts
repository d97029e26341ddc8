// Prisma, as docs/transactions.md has it. `prisma/` is what `prisma generate` 7.10.0 makes of a schema without models.
import { PrismaPg } from '@prisma/adapter-pg';
import type { OpenCaller } from './caller.ts';
import { greet } from './caller.ts';
import { PrismaClient } from './prisma/client.ts';

export const openPrisma: OpenCaller = (databaseUrl, warren) => {
  // example
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: databaseUrl }) });

  async function signUp(name: string) {
    return await prisma.$transaction(async (transaction) => {
      await transaction.$executeRaw`insert into customers (name) values (${name})`;
      return await warren.enqueue(greet, { name }, { transaction });
    });
  }
  // end of example
  return {
    signUp,
    transaction: async (work) => await prisma.$transaction(async (transaction) => await work(transaction)),
    end: async () => await prisma.$disconnect(),
  };
};
